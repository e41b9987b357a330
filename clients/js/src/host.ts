/**
 * What goes into the state machine of a connection, and what comes out of it.
 */
import type { State, TokenReason, Transport } from "./types.ts";
import type { ClientMessage, WelcomeMessage } from "./wire.ts";

/** Each timer exists once: setting it again moves it. */
export type TimerName = "retry" | "deadline" | "beat" | "token";

/** What the machine wants done. */
export interface Host {
  now(): number;
  random(): number;
  /** Asks for a token, or whether one that is known may be used: {@link Machine.token} or {@link Machine.noToken} answers. */
  ask(why: TokenReason, known?: string): void;
  open(url: string, transport: Transport): void;
  hello(token: string): void;
  /** Ends what `open` began; nothing more is heard of it. */
  drop(): void;
  send(message: ClientMessage): void;
  timer(name: TimerName, ms: number): void;
  /** Stops all timers. */
  stop(): void;
  /** This transport works where the other one did not: it is to be the first from now on. */
  prefer(transport: Transport): void;
  state(state: State): void;
}

export interface Settings {
  readonly urls: readonly string[];
  /** What can be used, the first being the one to prefer. Read anew at each attempt. */
  readonly transports: readonly Transport[];
  readonly canRenew: boolean;
}

export type Phase = "token" | "opening" | "open" | "waiting" | "paused" | "closed";

export interface Machine {
  /** What it is at. It starts `paused`. */
  phase(): Phase;
  /** The address of the attempt under way, or of the connection. */
  url(): string;
  /** `anew`: everything may have changed while nobody looked, but for the token. */
  connect(anew?: boolean): void;
  /** There is a token, but it is not this machine's turn: it may take as long as it takes. */
  hold(): void;
  /** A token, asked for or not. */
  token(token: string): void;
  /** There is none. `isFinal`: nor will there be. */
  noToken(reason: string, isFinal: boolean): void;
  /** The wire is open. */
  opened(): void;
  /** Something came, whatever it was. */
  heard(): void;
  welcome(message: WelcomeMessage): void;
  /** All that was waiting has been said: only now is it known what is still to be shown. */
  caughtUp(): void;
  /** The server's last word before it closes: the next address, if there is one, is better now. */
  bye(afterMs: number): void;
  /** The wire ended by itself. */
  closed(code: string, reason: string): void;
  /** Now would be a good time: the network came back, or the person did. */
  resume(): void;
  /** The page goes, perhaps to come back. */
  pause(): void;
  /** Connects anew, at once. */
  restart(): void;
  finish(code: string, reason: string): void;
  /** A timer ran out. `isLate`: by so much that the machine must have slept. */
  fired(name: TimerName, isLate: boolean): void;
}
