/**
 * The line to the server: runs the state machine with real timers, wires and tokens. What travels over it means nothing here, but for what opens, keeps and ends a
 * connection.
 */
import type { Found } from "./environment.ts";
import type { Machine, TimerName } from "./host.ts";
import { createMachine } from "./machine.ts";
import type { Kept } from "./storage.ts";
import { openStream } from "./stream.ts";
import type { Options, State, TokenReason, Transport } from "./types.ts";
import { openSocket, type Wire, type WireEvents } from "./websocket.ts";
import type { ClientMessage, ServerMessage, WelcomeMessage } from "./wire.ts";

/** What the line tells its owner, and asks of it. */
export interface LineEvents {
  state(state: State): void;
  /** A token is about to be used: resolves when its user may connect, and what they have to say is at hand. */
  identify(token: string): Promise<void>;
  hello(token: string): ClientMessage;
  welcome(message: WelcomeMessage): void;
  message(message: ServerMessage): void;
  traffic(direction: "in" | "out", message: object): void;
  failed(thrown: unknown): void;
  /** The id that posts go out under. */
  device(): string;
}

export interface Line extends Machine {
  /** The token in use. */
  bearer(): string;
  /** Counts attempts to connect. */
  count(): number;
  /** Says something on the connection that is open. */
  send(messages: readonly ClientMessage[]): void;
  /** Connects; not before it knows what worked the last time. */
  start(): Promise<void>;
}

/** How long a network without WebSockets is taken for one. */
const REMEMBER_MS = 3_600_000;
const REMEMBER_KEY = "engage:stream-until";
/** A timer that is this late says that the machine slept. */
const SLEPT_MS = 2_000;

export function createLine({ transport = "auto", url, token, getToken }: Options, environment: Found, store: Kept, events: LineEvents): Line {
  const { WebSocket, fetch, now, setTimeout, clearTimeout } = environment;
  const found = [WebSocket && "websocket", fetch && typeof ReadableStream === "function" && "stream"];
  const transports = (transport === "auto" ? found.filter((one) => !!one) : [transport]) as Transport[];
  const timers: Partial<Record<TimerName, unknown>> = {};
  let bearer = "";
  let count = 0;
  let wire: Wire | undefined;
  /** What the server said last, if it said why it is going to close. */
  let lastCode: string | undefined;

  const drop = (): void => {
    const dropped = wire;
    wire = undefined;
    dropped?.close();
  };

  const send = (messages: readonly ClientMessage[]): void => {
    for (const message of messages) events.traffic("out", message);
    // One that is closing throws; its end is told by an event of its own.
    try {
      wire?.send(messages);
    } catch {}
  };

  const receive = (message: ServerMessage): void => {
    events.traffic("in", message);
    machine.heard();
    if (message.type === "welcome") {
      events.welcome(message);
      machine.welcome(message);
    } else if (message.type === "bye") machine.bye(message.after_ms);
    else if (message.type === "caught_up") machine.caughtUp();
    else events.message(message);
    // Right before the end, an error about nothing that was asked says why.
    lastCode = message.type === "bye" || (message.type === "error" && !message.ref) ? message.code : undefined;
  };

  const open = (address: string, kind: Transport): void => {
    const mine = ++count;
    lastCode = undefined;
    const heard: WireEvents = {
      opened: machine.opened,
      heard: machine.heard,
      came(messages) {
        // A message may be the end of the connection, for somebody who listens.
        for (const message of messages) if (wire && mine === count) receive(message);
      },
      closed(code, reason) {
        drop();
        machine.closed(code === "lost" || code === "unauthorized" ? (lastCode ?? code) : code, reason);
      },
    };
    try {
      wire = kind === "websocket" ? openSocket(environment, address, heard) : openStream(environment, address, heard, () => ({ token: bearer, device: events.device() }));
    } catch (thrown) {
      // An address that is none, or a policy of the page: told like any other failure, later.
      setTimeout(() => mine === count && machine.closed("lost", `${thrown}`), 0);
    }
  };

  const ask = async (why: TokenReason, known?: string): Promise<void> => {
    try {
      const answer = known ?? token ?? (await getToken?.(why));
      // Closed, paused or given up meanwhile: nobody waits for it, and it must not take the lead from another tab.
      if (!/^[to]/.test(machine.phase())) return;
      if (!answer) return machine.noToken("there is no token", true);
      machine.hold();
      await events.identify(answer);
      bearer = answer;
      machine.token(answer);
    } catch (thrown) {
      events.failed(thrown);
      machine.noToken(`${thrown}`, false);
    }
  };

  const machine = createMachine(
    {
      now,
      random: environment.random,
      ask: (why, known) => void ask(why, known),
      open,
      hello: (bearer) => send([events.hello(bearer)]),
      drop,
      send: (message) => send([message]),
      timer(name, ms) {
        clearTimeout(timers[name] as never);
        const dueAt = now() + ms;
        timers[name] = setTimeout(() => machine.fired(name, now() - dueAt > SLEPT_MS), ms);
      },
      stop: () => Object.values(timers).forEach((timer) => clearTimeout(timer as never)),
      prefer(kind) {
        transports.reverse();
        void store.setItem(REMEMBER_KEY, `${kind === "stream" ? now() + REMEMBER_MS : 0}`);
      },
      state: events.state,
    },
    { urls: [url].flat() as string[], transports, canRenew: token === undefined },
  );

  return {
    ...machine,
    bearer: () => bearer,
    count: () => count,
    send,
    async start() {
      const until = transports[1] && (await store.getItem(REMEMBER_KEY));
      if (Number(until) > now()) transports.reverse();
      // It may have been closed meanwhile.
      if (machine.phase() === "paused") machine.connect();
    },
  };
}
