/**
 * One page's client: what it shows, and whom it tells. It speaks to the device, its own or the one that another tab runs.
 */
import { createDelivery, type Shown } from "./delivery.ts";
import { createEmitter } from "./emitter.ts";
import { findEnvironment } from "./environment.ts";
import { failure } from "./error.ts";
import type { FromTab, Status, ToTab } from "./hub.ts";
import type { Answer, Word } from "./outbox.ts";
import { watch } from "./page.ts";
import { createTabs } from "./tabs.ts";
import type { Confirmed, Connect, Engage, EngageError, Events, State, WithdrawReason } from "./types.ts";
import { type ConfirmMessage, keyOf, type OfferMessage } from "./wire.ts";
import { confirmedOf } from "./words.ts";

/** Something that was said, has no answer yet, and will have one of two. */
type Saying = readonly [word: Word, confirmed: (confirmed: Confirmed) => void, failed: (error: EngageError) => void];

type Changing = { -readonly [Name in keyof Engage]: Engage[Name] };

/** Starts a client. It connects by itself, and again after every loss, until it is closed. */
export const connect: Connect = (options) => {
  const environment = findEnvironment(options.environment);
  const { on, has, emit } = createEmitter<Events>();
  /** On the screen, by key. */
  const screen = new Map<string, Shown>();
  /** Offered, and waiting for room, or for somebody who listens. */
  const queue = new Map<string, OfferMessage>();
  const sayings = new Map<number, Saying>();
  let said = 0;
  let visible = options.visible ?? "page";
  let isClosed = false;

  const refresh = (): void => {
    engage.deliveries = [...screen.values()].map(({ delivery }) => delivery);
    emit("change", undefined);
  };

  const isVisible = (): boolean => (visible === "page" ? page.isVisible() : visible);

  /** How this page is; `whole`: to one that knows nothing of it. */
  const presence = (whole?: boolean): FromTab => {
    const offers = [...[...screen.values()].map((shown) => shown.offer()), ...queue.values()].filter((offer) => !!offer);
    const words = [...sayings].map(([n, [word]]) => [n, word] as const);
    return { type: "here", visible: isVisible(), open: whole ? offers : [], words: whole ? words : [] };
  };

  const looked = (): void => {
    tabs.post(presence());
    tabs.look();
  };

  const leave = (key: string): void => {
    screen.delete(key);
    refresh();
    show();
  };

  /** Nothing is shown by a client that is closed. What was said is kept for the next time, but nobody here will hear of it. */
  const abandon = (code: string): void => {
    queue.clear();
    for (const key of screen.keys()) withdraw(key, "closed");
    for (const [, , failed] of sayings.values()) failed(failure(code, "kept for the next time", true));
    sayings.clear();
  };

  const say = (word: Word): Promise<Confirmed> =>
    new Promise((resolve, reject) => {
      sayings.set(++said, [word, resolve, reject]);
      if (engage.state.name === "closed") abandon(engage.state.code);
      else tabs.post({ type: "say", n: said, word });
    });

  /**
   * Shows what waits, the most important first, while there is room and somebody listens. Not without a connection, nor before all that it has to say was said: another
   * device may have shown it meanwhile.
   */
  const show = (): void => {
    while (queue.size && engage.state.name === "open" && has("offer") && screen.size < (options.show ?? Infinity)) {
      const [key, message] = [...queue].sort(([, one], [, other]) => other.priority - one.priority)[0] as [string, OfferMessage];
      queue.delete(key);
      const shown: Shown = createDelivery(message, {
        say,
        left: () => screen.get(key) === shown && leave(key),
      });
      screen.set(key, shown);
      refresh();
      emit("offer", shown.delivery);
    }
  };

  const withdraw = (key: string, reason: WithdrawReason): void => {
    const shown = screen.get(key);
    queue.delete(key);
    if (!shown) return;
    screen.delete(key);
    const { delivery } = shown;
    shown.withdrawn(reason);
    if (reason === "expired") emit("expire", delivery);
    emit("withdraw", { delivery, reason });
    leave(key);
  };

  const progressed = (key: string, message: { step: number; data: unknown }): void => {
    const [shown, queued] = [screen.get(key), queue.get(key)];
    if (queued) queue.set(key, { ...queued, step: message.step + 1, data: message.data });
    if (!shown?.progressed(message)) return;
    emit("progress", shown.delivery);
    refresh();
  };

  const offered = (message: OfferMessage): void => {
    const key = keyOf(message);
    // What is on the screen is not offered again: only what is new about it is told.
    if (screen.has(key)) return progressed(key, { step: message.step - 1, data: message.data });
    queue.set(key, message);
    show();
  };

  const confirmed = (message: ConfirmMessage, data: unknown): void => {
    const [key, confirmed] = [keyOf(message), confirmedOf(message)];
    const leaves = screen.get(key)?.confirmed(confirmed, data);
    emit("confirm", confirmed);
    if (confirmed.settled) queue.delete(key);
    if (confirmed.settled && !confirmed.yours) withdraw(key, /^[ew]/.test(confirmed.state) ? (confirmed.state as "expired" | "withdrawn") : "done_elsewhere");
    else if (leaves) leave(key);
    refresh();
  };

  const answered = (n: number, answer: Answer): void => {
    const saying = sayings.get(n);
    if (!saying) return;
    sayings.delete(n);
    if (answer.type === "error") {
      const error = failure(answer.code, answer.message, answer.retry);
      saying[2](error);
      return emit("error", error);
    }
    saying[1](confirmedOf(answer));
  };

  const status = (next: Status): void => {
    const [before, { state }] = [engage.state, next];
    Object.assign(engage, next);
    if (state.name === "closed") abandon(state.code);
    if (JSON.stringify(before) !== JSON.stringify(state)) emit("state", state);
    emit("change", undefined);
    show();
  };

  const told = (message: ToTab): void => {
    if (isClosed) return;
    switch (message.type) {
      case "offer":
        return offered(message);
      case "withdraw":
        return withdraw(keyOf(message), message.reason);
      case "progress":
        return progressed(keyOf(message), message);
      case "confirm":
        return confirmed(message, message.data);
      case "answer":
        return answered(message.n, message.answer);
      case "notice":
        return emit("notice", { id: message.id, payload: message.payload, at: message.at, seen: () => tabs.post({ type: "seen", id: message.id }) });
      case "window":
        return emit("window", message.event);
      case "message":
        return emit("message", message.event);
      case "status":
        return status(message.status);
      case "error":
        return emit("error", failure(message.code, message.message, message.retry));
    }
  };

  const engage: Changing = {
    state: { name: "connecting", url: [options.url].flat()[0] as string, transport: "websocket" },
    user: undefined,
    device: "",
    pending: 0,
    deliveries: [],
    ready: () =>
      new Promise((resolve, reject) => {
        const settle = (state: State): void => {
          if (state.name === "open") resolve(state);
          else if (state.name === "closed") reject(failure(state.code, state.reason));
          else return;
          stop();
        };
        const stop = on("state", settle);
        settle(engage.state);
      }),
    on(name, listener) {
      // Not before the caller has its undo.
      if (name === "offer") void Promise.resolve().then(show);
      return on(name, listener);
    },
    setVisible(next) {
      visible = next;
      looked();
    },
    reconnect() {
      if (!isClosed) tabs.post({ type: "reconnect" });
    },
    async close() {
      page.stop();
      isClosed = true;
      const saved = tabs.close();
      const { user, device, pending } = engage;
      status({ user, device, pending, state: { name: "closed", code: "closed", reason: "closed" } });
      await saved;
    },
  };

  const page = watch(environment, {
    looked,
    online: () => tabs.look(),
    left: () => tabs.leave(),
    back: () => tabs.back(),
  });
  const tabs = createTabs(options, environment, { told, presence: () => presence(true) });
  return engage;
};
