/**
 * The line to the server: runs the {@link Machine} with real timers, wires and tokens. What travels over it means nothing here, but for what opens, keeps and ends a
 * connection.
 */
import { wordsOf } from "./error.ts";
import type { Found } from "./environment.ts";
import { type Host, Machine, type TimerName } from "./machine.ts";
import { openStream } from "./stream.ts";
import type { Kept } from "./storage.ts";
import type { Options, State, TokenReason, Transport } from "./types.ts";
import { openSocket, type Wire, type WireEvents } from "./websocket.ts";
import type { ClientMessage, ServerMessage, WelcomeMessage } from "./wire.ts";

/** What the line tells its owner. */
export interface LineEvents {
  state(state: State): void;
  /** A token is about to be used: resolves when its user may connect, and what they have to say is at hand. */
  identify(token: string): Promise<void>;
  hello(): ClientMessage;
  welcome(message: WelcomeMessage): void;
  message(message: ServerMessage): void;
  traffic(direction: "in" | "out", message: object): void;
  failed(thrown: unknown): void;
}

/** How long a network without WebSockets is taken for one. */
const REMEMBER_MS = 3_600_000;
const REMEMBER_KEY = "engage:stream-until";

export class Line {
  token = "";
  /** Counts attempts to connect. */
  connection = 0;
  readonly machine: Machine;
  private readonly transports: Transport[];
  private wire?: Wire;
  private lastCode?: string;
  private readonly timers: Partial<Record<TimerName, unknown>> = {};

  constructor(
    private readonly options: Options,
    private readonly environment: Found,
    private readonly store: Kept,
    private readonly events: LineEvents,
    private readonly device: () => string,
  ) {
    const { transport = "auto", url, token } = options;
    const { WebSocket, fetch } = environment;
    const found: Transport[] = WebSocket ? ["websocket"] : [];
    if (fetch && typeof ReadableStream === "function") found.push("stream");
    this.transports = transport === "auto" ? found : [transport];
    this.machine = new Machine(this.host(), { urls: [url].flat() as string[], transports: this.transports, canRenew: token === undefined });
  }

  /** Connects; not before it knows what worked the last time. */
  async start(): Promise<void> {
    const until = this.transports[1] && (await this.store.get(REMEMBER_KEY).catch(() => undefined));
    if (Number(until) > this.environment.now()) this.transports.reverse();
    // Closed, or gone, meanwhile.
    if (this.machine.phase === "paused") this.machine.connect();
  }

  /** Says something on the connection that is open. */
  send(messages: readonly ClientMessage[]): void {
    for (const message of messages) this.events.traffic("out", message);
    try {
      this.wire?.send(messages);
    } catch (thrown) {
      // It is closing: its end is told by an event of its own.
      this.events.failed(thrown);
    }
  }

  private host(): Host {
    const { environment, events, timers } = this;
    return {
      now: environment.now,
      random: environment.random,
      ask: (why, known) => void this.ask(why, known),
      open: (url, transport) => this.open(url, transport),
      hello: () => this.send([events.hello()]),
      drop: () => this.drop(),
      send: (message) => this.send([message]),
      timer: (name, ms) => {
        if (timers[name] !== undefined) environment.clearTimeout(timers[name] as never);
        timers[name] = ms === undefined ? undefined : environment.setTimeout(() => this.machine.fired(name), ms);
      },
      prefer: (transport) => {
        const until = transport === "stream" ? String(environment.now() + REMEMBER_MS) : undefined;
        this.store.set(REMEMBER_KEY, until).catch(events.failed);
      },
      state: (state) => events.state(state),
    };
  }

  private async ask(why: TokenReason, known?: string): Promise<void> {
    const { token, getToken } = this.options;
    try {
      const answer = known ?? token ?? (await getToken?.(why));
      if (!answer) return this.machine.noToken("there is no token: nobody is signed in", true);
      this.machine.hold();
      await this.events.identify(answer);
      this.token = answer;
      this.machine.token(answer);
    } catch (thrown) {
      this.events.failed(thrown);
      this.machine.noToken(wordsOf(thrown), false);
    }
  }

  private open(url: string, transport: Transport): void {
    this.lastCode = undefined;
    this.connection++;
    // A wire that was dropped may still speak, of itself or of nothing.
    const mine = (act: () => void) => () => this.wire === wire && act();
    const events: WireEvents = {
      opened: () => mine(() => this.machine.opened())(),
      heard: () => mine(() => this.machine.heard())(),
      messages: (messages) => messages.forEach((message) => mine(() => this.receive(message))()),
      closed: (code, reason) => mine(() => this.closed(code, reason))(),
    };
    let wire: Wire | undefined;
    try {
      wire =
        transport === "websocket"
          ? openSocket(this.environment, url, events)
          : openStream(this.environment, url, events, () => ({ token: this.token, device: this.device() }));
      this.wire = wire;
    } catch (thrown) {
      // An address that is none, or a policy of the page: told like any other failure, later.
      this.environment.setTimeout(() => this.machine.closed("lost", wordsOf(thrown)), 0);
    }
  }

  private receive(message: ServerMessage): void {
    this.events.traffic("in", message);
    this.machine.heard();
    if (message.type === "welcome") {
      this.events.welcome(message);
      this.machine.welcome(message);
    } else if (message.type === "bye") {
      this.lastCode = message.code;
      this.machine.bye(message.after_ms);
    } else {
      // An error about nothing that was asked is why the server is about to close.
      if (message.type === "error" && message.ref === undefined) this.lastCode = message.code;
      this.events.message(message);
    }
  }

  private closed(code: string, reason: string): void {
    const told = this.lastCode;
    this.drop();
    this.machine.closed(code === "lost" || code === "unauthorized" ? (told ?? code) : code, reason);
  }

  private drop(): void {
    const { wire } = this;
    this.wire = undefined;
    wire?.close();
  }
}
