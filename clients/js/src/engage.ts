/**
 * One page's client: what it shows, and whom it tells. It speaks to the device, its own or the one that another tab runs.
 */
import { Shown } from "./delivery.ts";
import { Emitter } from "./emitter.ts";
import { findEnvironment, type Found } from "./environment.ts";
import { failure } from "./error.ts";
import type { FromTab, Status, ToTab } from "./hub.ts";
import type { Answer, Word } from "./outbox.ts";
import { watch, type Watched } from "./page.ts";
import { Tabs } from "./tabs.ts";
import type { Confirmed, Delivery, Engage, EngageError, Events, Options, State, Welcome, WithdrawReason } from "./types.ts";
import { type ConfirmMessage, keyOf, type NoticeMessage, type OfferMessage } from "./wire.ts";
import { confirmedOf, windowOf } from "./words.ts";

interface Saying {
  readonly delivery: Shown;
  readonly word: Word;
  resolve(confirmed: Confirmed): void;
  reject(error: EngageError): void;
}

export class Page implements Engage {
  state: State;
  user: string | undefined;
  device = "";
  pending = 0;
  deliveries: readonly Delivery[] = [];
  private welcome?: Welcome;
  private readonly emitter = new Emitter<Events>();
  /** On the screen, by key. */
  private readonly shown = new Map<string, Shown>();
  /** Offered, and waiting for room, or for somebody who listens. */
  private readonly queue = new Map<string, OfferMessage>();
  private readonly sayings = new Map<number, Saying>();
  private said = 0;
  private visible: boolean | "page";
  private since: number;
  private readonly environment: Found;
  private readonly watched: Watched;
  private readonly tabs: Tabs;

  constructor(private readonly options: Options) {
    const environment = findEnvironment(options.environment);
    this.environment = environment;
    this.visible = options.visible ?? "page";
    this.since = environment.now();
    this.state = { name: "connecting", url: [options.url].flat()[0] as string, transport: "websocket" };
    this.watched = watch(environment, {
      looked: () => this.looked(),
      online: () => this.tabs.look(this.isVisible),
      left: () => this.tabs.leave(),
      back: () => this.tabs.back(),
    });
    this.tabs = new Tabs(options, environment, { told: (message) => this.told(message), presence: () => this.presence(true) });
  }

  ready(): Promise<Welcome> {
    return new Promise((resolve, reject) => {
      let stop = (): void => {};
      const settle = (state: State): void => {
        if (state.name === "open" && this.welcome) resolve(this.welcome);
        else if (state.name === "closed") reject(failure(state.code, state.reason));
        else return;
        stop();
      };
      stop = this.on("state", settle);
      settle(this.state);
    });
  }

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const stop = this.emitter.on(name, listener);
    // Not before the caller has its undo.
    if (name === "offer") void Promise.resolve().then(() => this.show());
    return stop;
  }

  setVisible(visible: boolean | "page"): void {
    this.visible = visible;
    this.looked();
  }

  reconnect(): void {
    this.tabs.post({ type: "reconnect" });
  }

  async close(): Promise<void> {
    this.watched.stop();
    await this.tabs.close();
    const { user, device, pending, state } = this;
    const closed: State = { name: "closed", code: "closed", reason: "closed by the app" };
    this.status({ state: state.name === "closed" ? state : closed, user, device, pending, welcome: undefined });
    this.queue.clear();
    for (const delivery of this.shown.values()) this.withdraw(delivery, "closed");
  }

  private get isVisible(): boolean {
    return this.visible === "page" ? this.watched.isVisible() : this.visible;
  }

  private looked(): void {
    this.since = this.environment.now();
    this.tabs.post(this.presence(false));
    this.tabs.look(this.isVisible);
  }

  /** How this page is; `whole`: to one that knows nothing of it. */
  private presence(whole: boolean): FromTab {
    const { isVisible, since, shown, queue, sayings } = this;
    const offers = [...[...shown.values()].filter(({ isOver }) => !isOver).map((delivery) => delivery.asOffer()), ...queue.values()];
    const words = [...sayings].map(([n, { word }]) => [n, word] as const);
    return { type: "here", visible: isVisible, since, open: whole ? offers : [], words: whole ? words : [] };
  }

  private told(message: ToTab): void {
    switch (message.type) {
      case "offer":
        return this.offered(message);
      case "withdraw": {
        const delivery = this.shown.get(keyOf(message));
        this.queue.delete(keyOf(message));
        if (delivery) this.withdraw(delivery, message.reason);
        return;
      }
      case "progress": {
        const [delivery, queued] = [this.shown.get(keyOf(message)), this.queue.get(keyOf(message))];
        if (queued) this.queue.set(keyOf(message), { ...queued, step: message.step + 1, data: message.data });
        if (delivery?.progressed(message)) this.emitter.emit("progress", delivery);
        return this.refresh();
      }
      case "confirm":
        return this.confirmed(message, message.data);
      case "answer":
        return this.answered(message.n, message.answer);
      case "notice":
        return this.noticed(message);
      case "window":
        return this.emitter.emit("window", windowOf(message.window));
      case "status":
        return this.status(message.status);
      case "traffic":
        return this.emitter.emit("message", message.traffic);
      case "failed":
        return this.emitter.emit("error", failure(message.failure.code, message.failure.message, message.failure.retry));
    }
  }

  private offered(message: OfferMessage): void {
    const delivery = this.shown.get(keyOf(message));
    if (!delivery) {
      this.queue.set(keyOf(message), message);
      return this.show();
    }
    // It is on the screen: only what is new about it is told.
    if (delivery.progressed({ ...message, type: "progress", step: message.step - 1 })) this.emitter.emit("progress", delivery);
    this.refresh();
  }

  /** Shows what waits, the most important first, while there is room and somebody listens. */
  private show(): void {
    while (this.emitter.has("offer") && this.shown.size < (this.options.show ?? Infinity)) {
      const next = [...this.queue].sort(([, one], [, other]) => other.priority - one.priority)[0];
      if (!next) return;
      this.queue.delete(next[0]);
      const delivery: Shown = new Shown(next[1], {
        say: (word) => this.say(delivery, word),
        left: () => this.left(delivery),
        changed: () => this.refresh(),
      });
      this.shown.set(next[0], delivery);
      this.refresh();
      this.emitter.emit("offer", delivery);
    }
  }

  private say(delivery: Shown, word: Word): Promise<Confirmed> {
    if (this.state.name === "closed") return Promise.reject(failure(this.state.code, `the client is closed: ${this.state.reason}`));
    return new Promise((resolve, reject) => {
      const n = ++this.said;
      this.sayings.set(n, { delivery, word, resolve, reject });
      this.tabs.post({ type: "say", n, word });
    });
  }

  private answered(n: number, answer: Answer): void {
    const saying = this.sayings.get(n);
    if (!saying) return;
    this.sayings.delete(n);
    if (answer.type === "error") {
      const error = failure(answer.code, answer.message, answer.retry);
      saying.reject(error);
      return this.emitter.emit("error", error);
    }
    const confirmed = confirmedOf(answer);
    if (this.shown.get(keyOf(answer)) !== saying.delivery) saying.delivery.confirmed(confirmed, undefined);
    saying.resolve(confirmed);
  }

  private confirmed(message: ConfirmMessage, data: unknown): void {
    const [delivery, confirmed] = [this.shown.get(keyOf(message)), confirmedOf(message)];
    delivery?.confirmed(confirmed, data);
    this.emitter.emit("confirm", confirmed);
    if (delivery && confirmed.settled) {
      // A banner that ends by being shown stays, until the app takes it off.
      if (!confirmed.yours) this.withdraw(delivery, confirmed.state === "expired" || confirmed.state === "withdrawn" ? confirmed.state : "done_elsewhere");
      else if (delivery.isDone || delivery.settleOn === "completed") this.left(delivery);
    }
    this.refresh();
  }

  private withdraw(delivery: Shown, reason: WithdrawReason): void {
    this.shown.delete(keyOf(delivery));
    delivery.withdrawn(reason);
    if (reason === "expired") this.emitter.emit("expire", delivery);
    this.emitter.emit("withdraw", { delivery, reason });
    this.refresh();
    this.show();
  }

  private left(delivery: Shown): void {
    if (this.shown.get(keyOf(delivery)) !== delivery) return;
    this.shown.delete(keyOf(delivery));
    this.refresh();
    this.show();
  }

  private noticed({ id, payload, at }: NoticeMessage): void {
    this.emitter.emit("notice", { id, payload, at, seen: () => this.tabs.post({ type: "seen", id }) });
  }

  private status({ state, user, device, pending, welcome }: Status): void {
    const before = this.state;
    const isOther = this.user !== undefined && user !== this.user;
    Object.assign(this, { state, user, device, pending, welcome });
    if (state.name === "closed" || isOther) this.abandon(state.name === "closed" ? state.code : "closed");
    if (JSON.stringify(before) !== JSON.stringify(state)) this.emitter.emit("state", state);
    this.refresh();
  }

  /** What was said is kept for the next time, but nobody here will hear of it. */
  private abandon(code: string): void {
    for (const { reject } of this.sayings.values()) reject(failure(code, "there was no confirm yet: the ack is kept, and sent the next time", true));
    this.sayings.clear();
  }

  private refresh(): void {
    this.deliveries = [...this.shown.values()];
    this.emitter.emit("change", undefined);
  }
}
