/**
 * This device, as the server knows it: one line, one outbox, whatever is on the screens of its tabs. Where tabs act as one device, one of them runs it; each tab talks to it
 * by {@link FromTab} and hears {@link ToTab}.
 */
import { wordsOf } from "./error.ts";
import type { Found } from "./environment.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import { Line } from "./line.ts";
import { type Entry, Outbox, type Word } from "./outbox.ts";
import { Pace, PACE_MS } from "./pace.ts";
import { Screen } from "./screen.ts";
import type { Kept } from "./storage.ts";
import { claimsOf } from "./token.ts";
import type { Options, State, Welcome } from "./types.ts";
import { addressOf } from "./websocket.ts";
import { type ClientMessage, CLIENT, FRAME_MAX_BYTES, type ServerMessage, sizeOf, type WelcomeMessage } from "./wire.ts";
import { windowOf } from "./words.ts";
import type { Answer } from "./outbox.ts";

/** Most `seen`s that wait for a connection; more are dropped, the oldest first: they are worth little late. */
const SEEN_MAX = 64;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;

export interface DeviceEvents {
  /** The id to take, where neither the app nor the token says one. */
  ownId(): Promise<string>;
  /** Resolves when this device may connect, for the user and device that the name stands for. */
  lead(name: string): Promise<void>;
  tell(tab: string, message: ToTab): void;
}

export class Device {
  readonly line: Line;
  private outbox = new Outbox();
  private readonly screen = new Screen(() => this.outbox);
  private readonly pace: Pace;
  private state!: State;
  private user?: string;
  private id = "";
  /** The user and, where it is given, the device that the outbox is kept for. */
  private room = "";
  private welcome?: Welcome;
  private seen: string[] = [];
  private toldVisible = true;
  private helloRefs: number[] = [];
  private retryMs = RETRY_FIRST_MS;
  private pumpTimer?: unknown;
  private saving?: Promise<void>;
  private isDirty = false;

  constructor(
    private readonly options: Options,
    private readonly environment: Found,
    private readonly store: Kept,
    private readonly events: DeviceEvents,
  ) {
    this.pace = new Pace(environment.now());
    this.line = new Line(
      options,
      environment,
      store,
      {
        state: (state) => this.changed(state),
        identify: (token) => this.identify(token),
        hello: () => this.hello(),
        welcome: (message) => this.welcomed(message),
        message: (message) => this.heard(message),
        traffic: (direction, message) =>
          this.events.tell(ALL, { type: "traffic", traffic: { direction, at: environment.now(), message: "token" in message ? { ...message, token: "…" } : { ...message } } }),
        failed: (thrown) => this.failed("client", wordsOf(thrown), true),
      },
      () => this.id,
    );
  }

  /** A tab says something. */
  receive(from: string, message: FromTab): void {
    if (message.type === "say") this.say(from, message.n, message.word);
    else if (message.type === "here") this.here(from, message);
    else if (message.type === "gone") this.gone(from);
    else if (message.type === "seen") {
      this.seen = [...this.seen, message.id].slice(-SEEN_MAX);
      this.pump();
    } else this.line.machine.restart();
  }

  /** The page goes: says what has no confirm in the one way that outlives it. No answer will be heard, so all of it stays in the outbox. */
  farewell(): void {
    const { line, environment } = this;
    const messages = this.fitting(this.outbox.words(), 300 + line.token.length).map(messageOf);
    if (messages.length && line.token) {
      environment.sendBeacon?.(addressOf(line.machine.url, "http", "/v1/messages"), JSON.stringify({ token: line.token, device: this.id, messages }));
    }
    line.machine.pause();
  }

  /** Ends it; resolves when what is kept is kept. */
  async close(): Promise<void> {
    this.environment.clearTimeout(this.pumpTimer as never);
    this.line.machine.finish("closed", "closed by the app");
    await this.saving;
  }

  /** Others go on: what is kept is in the storage, what is shown is known to the tabs. */
  forget(): void {
    this.screen.tabs.clear();
    this.screen.clear();
    this.outbox = new Outbox();
    this.user = undefined;
  }

  private say(from: string, n: number, word: Word): void {
    this.outbox.add(word, (answer) => this.events.tell(from, { type: "answer", n, answer }));
    this.save();
    this.pump();
  }

  private here(from: string, { visible, since, open, words }: FromTab & { type: "here" }): void {
    this.screen.tabs.set(from, { visible, since });
    for (const offer of open) this.screen.hold(offer, from);
    for (const [n, word] of words) this.say(from, n, word);
    this.status(from);
    this.place();
    this.pump();
  }

  private gone(from: string): void {
    this.screen.tabs.delete(from);
    this.place();
    this.pump();
  }

  private place(): void {
    for (const { from, to, offer } of this.screen.place()) {
      if (from !== undefined) this.events.tell(from, { type: "withdraw", id: offer.id, window: offer.window, reason: "moved" });
      this.events.tell(to, offer);
    }
  }

  private changed(state: State): void {
    this.state = state;
    this.status();
    this.pump();
  }

  private status(tab = ALL): void {
    if (!this.state) return;
    const { state, user, id, outbox, welcome } = this;
    this.events.tell(tab, { type: "status", status: { state, user, device: id, pending: outbox.size, welcome } });
  }

  private failed(code: string, message: string, retry: boolean): void {
    this.events.tell(ALL, { type: "failed", failure: { code, message, retry } });
  }

  /** What a token says of its user, before it is used. */
  private async identify(token: string): Promise<void> {
    const { sub, device } = claimsOf(token);
    const fixed = this.options.device ?? device;
    this.id = fixed ?? (this.id || (await this.events.ownId()));
    if (sub !== this.user) await this.depart();
    this.room = [sub ?? "", fixed ?? ""].join("\n");
    await this.events.lead(`engage:${this.line.machine.url}\n${this.room}`);
    if (sub !== undefined) await this.become(sub);
  }

  /** Nothing of this user is shown or said any more. */
  private async depart(): Promise<void> {
    if (this.user === undefined) return;
    await this.saving;
    for (const { id, window } of this.screen.clear()) this.events.tell(ALL, { type: "withdraw", id, window, reason: "closed" });
    this.outbox = new Outbox();
    this.user = undefined;
  }

  private async become(user: string): Promise<void> {
    if (user === this.user) return;
    await this.depart();
    this.user = user;
    this.outbox.load(await this.kept());
    this.status();
  }

  private hello(): ClientMessage {
    const { line, outbox, options, screen } = this;
    const open = screen.open();
    outbox.again();
    this.toldVisible = screen.isVisible;
    const isForUser = (claimsOf(line.token).sub ?? this.user) === this.user;
    const acks = isForUser ? outbox.unsent(line.connection).filter(({ step }) => step !== undefined) : [];
    const fitting = this.fitting(acks, 500 + line.token.length + sizeOf(JSON.stringify(open)));
    this.helloRefs = fitting.map((entry) => {
      entry.sent = line.connection;
      return entry.ref;
    });
    return {
      type: "hello",
      token: line.token,
      device: this.id,
      visible: this.toldVisible,
      max_in_flight: options.maxInFlight,
      acks: fitting.map(({ id, window, step, data, ref }) => ({ id, window, step, data, ref })),
      open,
      client: CLIENT,
    };
  }

  private welcomed(message: WelcomeMessage): void {
    const { user, device, connection, node } = message;
    this.welcome = {
      user,
      device,
      connection,
      node,
      window: windowOf(message.window),
      serverTime: message.server_time,
      heartbeatMs: message.heartbeat_ms,
      maxInFlight: message.max_in_flight,
    };
    message.acks.forEach((answer, index) => this.answered(answer, answer.ref ?? this.helloRefs[index]));
    if (user !== this.user) void this.become(user).then(() => this.pump());
  }

  private heard(message: ServerMessage): void {
    const { screen } = this;
    switch (message.type) {
      case "offer": {
        const tab = screen.hold(message);
        if (tab !== undefined) this.events.tell(tab, message);
        return this.place();
      }
      case "confirm":
        return this.answered(message, message.ref);
      case "error":
        return message.ref === undefined ? this.failed(message.code, message.message, message.retry) : this.answered(message, message.ref);
      case "withdraw":
        if (screen.release(message)) this.events.tell(ALL, message);
        return;
      case "progress":
        screen.progress(message);
        return this.events.tell(ALL, message);
      case "notice":
        return this.events.tell(screen.active ?? ALL, message);
      case "window":
        return this.events.tell(ALL, message);
    }
  }

  private answered(answer: Answer, ref: number | undefined): void {
    const entry = this.outbox.find(ref);
    if (answer.type === "confirm") {
      this.retryMs = RETRY_FIRST_MS;
      const data = entry?.step === answer.step ? entry.data : undefined;
      this.screen.confirmed(answer, data, !!entry && entry.step === undefined);
      this.events.tell(ALL, { ...answer, data });
    } else if (!answer.retry && !entry?.waiting.length) {
      // Nobody else hears of it.
      this.failed(answer.code, answer.message, false);
    }
    this.outbox.answer(ref, answer);
    if (answer.type === "error" && answer.retry) this.pumpIn((this.retryMs = Math.min(RETRY_MAX_MS, this.retryMs * 2)) * (0.5 + this.environment.random() / 2));
    this.save();
    this.place();
  }

  /** As many as a frame holds. */
  private fitting<T extends Word>(words: readonly T[], usedBytes: number): T[] {
    let bytes = usedBytes;
    return words.filter((word) => (bytes += 40 + sizeOf(JSON.stringify(word))) < FRAME_MAX_BYTES);
  }

  /** Sends what waits, as fast as it may. */
  private pump(): void {
    const { line, outbox, screen } = this;
    if (line.machine.phase !== "open") return;
    const messages: ClientMessage[] = [];
    if (screen.isVisible !== this.toldVisible) messages.push({ type: "visible", visible: (this.toldVisible = screen.isVisible) });
    const room = this.pace.room(this.environment.now()) - messages.length;
    for (const id of this.seen.splice(0, Math.max(0, room))) messages.push({ type: "seen", id });
    const entries = outbox.unsent(line.connection);
    const leaving = this.fitting(entries.slice(0, Math.max(0, room - messages.length)), 0);
    for (const entry of leaving) {
      entry.sent = line.connection;
      messages.push({ ...messageOf(entry), ref: entry.ref });
    }
    if (entries.length > leaving.length || this.seen.length) this.pumpIn(PACE_MS);
    if (!messages.length) return;
    this.pace.take(messages.length);
    line.send(messages);
  }

  private pumpIn(ms: number): void {
    const { environment } = this;
    if (this.pumpTimer !== undefined) environment.clearTimeout(this.pumpTimer as never);
    this.pumpTimer = environment.setTimeout(() => {
      this.pumpTimer = undefined;
      this.outbox.again();
      this.pump();
    }, ms);
  }

  private get key(): string {
    return `engage:outbox:${this.room}`;
  }

  private async kept(): Promise<Word[]> {
    try {
      return JSON.parse((await this.store.get(this.key)) ?? "[]") as Word[];
    } catch (thrown) {
      this.failed("storage", wordsOf(thrown), true);
      return [];
    }
  }

  /** Writes one after the other; what changes during one is written by the next. */
  private save(): void {
    this.status();
    if (this.user === undefined) return;
    this.isDirty = true;
    this.saving ??= (async () => {
      while (this.isDirty) {
        this.isDirty = false;
        const { key, outbox } = this;
        const words = outbox.merge(await this.kept());
        await this.store.set(key, words.length ? JSON.stringify(words) : undefined);
      }
    })()
      .catch((thrown: unknown) => this.failed("storage", wordsOf(thrown), true))
      .then(() => {
        this.saving = undefined;
      });
  }
}

const messageOf = ({ id, window, step, data }: Word | Entry): ClientMessage =>
  step === undefined ? { type: "dismiss", id, window } : { type: "ack", id, window, step, data };
