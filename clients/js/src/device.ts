/**
 * This device, as the server knows it: one line, one outbox, whatever is on the screens of its tabs. Where tabs act as one device, one of them runs it; each tab talks to it
 * by {@link FromTab} and hears {@link ToTab}.
 */
import type { Found } from "./environment.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import { createLine, type Line } from "./line.ts";
import { type Answer, createOutbox, type Word, wordOf } from "./outbox.ts";
import { createScreen } from "./screen.ts";
import { type Kept, openStore } from "./storage.ts";
import { claimsOf } from "./token.ts";
import type { Options, State } from "./types.ts";
import { addressOf } from "./websocket.ts";
import { type ClientMessage, CLIENT, FRAME_MAX_BYTES, type OfferMessage, type ServerMessage, sizeOf } from "./wire.ts";
import { windowOf } from "./words.ts";

export interface DeviceEvents {
  /** The id to take, where neither the app nor the token says one. */
  ownId(store: Kept): Promise<string>;
  /** Resolves when this device may speak for the user and device that the name stands for, with what is to be done before it connects. */
  lead(name: string): Promise<(() => Promise<void>) | undefined>;
  tell(tab: string, message: ToTab): void;
}

export interface Device {
  readonly line: Line;
  /** A tab says something. */
  receive(from: string, message: FromTab): void;
  /** The page goes: says what has no confirm in the one way that outlives it. No answer will be heard, so all of it stays in the outbox. */
  farewell(): void;
  /** Others go on: what is kept is in the storage, what is shown is known to the tabs. */
  forget(): void;
  /** Ends it; resolves when what is kept is kept. */
  close(): Promise<void>;
}

/** How fast messages may leave: under what a node takes from one connection (50 a second, 256 at once), so that it never refuses one for that. */
const BURST = 200;
const PER_MS = 0.04;
/** How long to wait for room. */
const PACE_MS = 250;
/** How long to wait after a refusal that is not for good, and up to as much again. */
const RETRY_MS = 2_000;
/** Where an outbox is kept, before the names of its user and device. */
const KEPT = "engage:outbox:";

const messageOf = (word: Word): ClientMessage => ({ type: word.step === undefined ? "dismiss" : "ack", ...wordOf(word) });

/** As many as a frame holds. */
const fitting = <T extends Word>(words: readonly T[], usedBytes: number): T[] =>
  words.filter((word) => (usedBytes += 50 + sizeOf(JSON.stringify(messageOf(word)))) < FRAME_MAX_BYTES);

export function createDevice(options: Options, environment: Found, { ownId, lead, tell }: DeviceEvents): Device {
  const { now, random, setTimeout, clearTimeout, sendBeacon } = environment;
  let outbox = createOutbox();
  const screen = createScreen(() => outbox);
  let state: State | undefined;
  let user: string | undefined;
  let device = "";
  /** Where the outbox is kept. */
  let room = "";
  let toldVisible = true;
  let helloRefs: number[] = [];
  let pumpTimer: unknown;
  let budget = BURST;
  let budgetAt = now();
  let saving: Promise<void> | undefined;
  let unsaved: [key: string, value: string] | undefined;

  const failed = (code: string, thrown: unknown, retry = true): void => tell(ALL, { type: "error", code, message: `${thrown}`, retry });

  const store = openStore(environment, options.storage, (thrown) => failed("storage", thrown));

  const status = (tab = ALL): void => {
    if (state) tell(tab, { type: "status", status: { state, user, device, pending: outbox.size() } });
  };

  const move = ({ id, window }: OfferMessage, from: string): void => tell(from, { type: "withdraw", id, window, reason: "moved" });

  const place = (): void =>
    screen.place((offer, to, from) => {
      if (from) move(offer, from);
      tell(to, offer);
    });

  const write = async (): Promise<void> => {
    for (let next = unsaved; next; next = unsaved) {
      unsaved = undefined;
      await store.setItem(...next);
    }
    saving = undefined;
  };

  /** Writes one after the other; what changes during one is written by the next. */
  const save = (): void => {
    status();
    if (!user) return;
    unsaved = [room, JSON.stringify(outbox.words())];
    saving ??= write();
  };

  const pumpIn = (ms: number): void => {
    clearTimeout(pumpTimer as never);
    pumpTimer = setTimeout(() => {
      outbox.again();
      pump();
    }, ms);
  };

  /** Sends what waits, as fast as it may. */
  const pump = (): void => {
    if (line.phase() !== "open") return;
    budget = Math.min(BURST, budget + (now() - budgetAt) * PER_MS);
    budgetAt = now();
    const messages: ClientMessage[] = [];
    if (screen.isVisible() !== toldVisible) messages.push({ type: "visible", visible: (toldVisible = !toldVisible) });
    const entries = outbox.unsent(line.count());
    const leaving = fitting(entries.slice(0, Math.max(0, budget - messages.length)), 0);
    for (const entry of leaving) {
      entry.sent = line.count();
      messages.push({ ...messageOf(entry), ref: entry.ref });
    }
    if (entries.length > leaving.length) pumpIn(PACE_MS);
    budget -= messages.length;
    if (messages.length) line.send(messages);
  };

  const say = (from: string, n: number, word: Word): void => {
    outbox.add(word, (answer) => tell(from, { type: "answer", n, answer }));
    save();
    pump();
  };

  const answered = (answer: Answer, ref: number | undefined): void => {
    const entry = outbox.find(ref);
    if (answer.type === "confirm") {
      const data = entry?.step === answer.step ? entry.data : undefined;
      screen.confirmed(answer, data, !!entry && entry.step === undefined);
      tell(ALL, { ...answer, data });
    } else if (answer.retry) {
      pumpIn(RETRY_MS * (1 + random()));
    } else if (!entry?.waiting.length) {
      // Nobody else hears of it.
      failed(answer.code, answer.message, false);
    }
    outbox.answer(answer, ref);
    save();
    place();
  };

  /** What a token says of its user, before it is used. */
  const identify = async (token: string): Promise<void> => {
    const { sub, device: bound } = claimsOf(token);
    const fixed = options.device ?? bound;
    if (user && sub !== user) return line.finish("other_user", "");
    const gather = await lead("engage:" + [[options.url].flat()[0], sub, fixed].join("\n"));
    if (user) return;
    device = fixed ?? (await ownId(store));
    // Tabs that are devices of their own keep it in one place: what a killed one has not said, the next one says.
    room = KEPT + [sub, fixed ?? device.split(".")[0]].join("\n");
    const kept = (await store.getItem(room).then((text) => JSON.parse(text || "[]") as unknown).catch(() => [])) as Word[];
    // The same step said in this page is newer.
    for (const word of kept) if (!word.step || outbox.ack(word)?.step !== word.step) outbox.add(word);
    user = sub;
    save();
    await gather?.();
  };

  const hello = (token: string): ClientMessage => {
    const open = screen.open();
    outbox.again();
    toldVisible = screen.isVisible();
    const acks = outbox.unsent(line.count()).filter(({ step }) => step !== undefined);
    const first = fitting(acks, 500 + token.length + sizeOf(JSON.stringify(open)));
    helloRefs = first.map((entry) => {
      entry.sent = line.count();
      return entry.ref;
    });
    return {
      type: "hello",
      token,
      device,
      visible: toldVisible,
      max_in_flight: options.maxInFlight,
      acks: first.map(wordOf),
      open,
      client: CLIENT,
    };
  };

  const heard = (message: ServerMessage): void => {
    switch (message.type) {
      case "offer": {
        const tab = screen.hold(message);
        if (tab) tell(tab, message);
        return place();
      }
      case "confirm":
        return answered(message, message.ref);
      case "error":
        return message.ref === undefined ? failed(message.code, message.message, message.retry) : answered(message, message.ref);
      case "withdraw":
        if (screen.release(message)) tell(ALL, message);
        return;
      case "progress":
        screen.progress(message);
        return tell(ALL, message);
      case "notice":
        return tell(screen.active() ?? ALL, message);
      case "window":
        return tell(ALL, { type: "window", event: windowOf(message.window) });
    }
  };

  const line: Line = createLine(options, environment, store, {
    state(next) {
      state = next;
      status();
      pump();
    },
    identify,
    hello,
    welcome: ({ acks }) => acks.forEach((answer, index) => answered(answer, helloRefs[index])),
    message: heard,
    traffic(direction, message) {
      tell(ALL, { type: "message", event: { direction, at: now(), message: "token" in message ? { ...message, token: "…" } : { ...message } } });
    },
    failed: (thrown) => failed("no_token", thrown),
    device: () => device,
  });

  return {
    line,
    receive(from, message) {
      if (message.type === "say") say(from, message.n, message.word);
      else if (message.type === "reconnect") line.restart();
      else if (message.type === "seen") {
        // Worth nothing late: without a connection it is not said.
        if (line.phase() === "open") line.send([message]);
      } else {
        if (message.type === "gone") screen.tabs.delete(from);
        if (message.type === "here") {
          const { visible, open, words } = message;
          screen.tabs.delete(from);
          screen.tabs.set(from, visible);
          for (const offer of open) {
            // It went to another tab while this one was away.
            if (![undefined, from].includes(screen.hold(offer, from))) move(offer, from);
          }
          for (const [n, word] of words) say(from, n, word);
          status(from);
        }
        place();
        pump();
      }
    },
    farewell() {
      const token = line.bearer();
      const messages = fitting(outbox.words(), 300 + token.length).map(messageOf);
      if (messages.length && token) sendBeacon?.(addressOf(line.url(), "http", "messages"), JSON.stringify({ token, device, messages }));
      line.pause();
    },
    forget() {
      screen.tabs.clear();
      screen.clear();
      outbox = createOutbox();
      user = undefined;
    },
    async close() {
      clearTimeout(pumpTimer as never);
      line.finish("closed", "");
      await saving;
    },
  };
}
