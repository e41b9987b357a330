/**
 * The life of a connection, as a state machine: what happened comes in as a call, what is to be done goes out to the {@link Host}. It has no timer, socket or storage of
 * its own, and no clock but the host's, so that a test can put it into any situation.
 */
import { claimsOf } from "./token.ts";
import type { State, TokenReason, Transport } from "./types.ts";
import type { WelcomeMessage } from "./wire.ts";

/** Each timer exists once: setting it again moves it. */
export type TimerName = "retry" | "deadline" | "beat" | "token";

/** What the machine wants done. Nothing here may call the machine back before it returns, but {@link Host.state}'s listeners, last. */
export interface Host {
  now(): number;
  random(): number;
  /** Asks for a token, or whether one that is known may be used: {@link Machine.token} or {@link Machine.noToken} answers. */
  ask(why: TokenReason, known?: string): void;
  open(url: string, transport: Transport): void;
  hello(token: string): void;
  /** Ends what `open` began; nothing more is heard of it. */
  drop(): void;
  send(message: { type: "ping" } | { type: "token"; token: string }): void;
  /** Without `ms`: stops it. */
  timer(name: TimerName, ms?: number): void;
  /** This transport works where the other one did not. */
  prefer(transport: Transport): void;
  state(state: State): void;
}

export interface Settings {
  readonly urls: readonly string[];
  /** What can be used, the first being the one to prefer. */
  readonly transports: readonly Transport[];
  readonly canRenew: boolean;
}

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 30_000;
/** For opening and for the welcome, together. */
const DEADLINE_MS = 10_000;
/** For an app's `getToken`. */
const TOKEN_DEADLINE_MS = 30_000;
/** For a pong. */
const PROBE_MS = 5_000;
/** A connection that lasted less did not stand, and the next wait grows on. */
const STABLE_MS = 5_000;
/** Between two attempts, however often the page says that now would be a good time. */
const SPACING_MS = 1_000;
/** A timer that is this late says that the machine slept. */
const SLEPT_MS = 2_000;
/** Rounds over all addresses before the other transport gets a turn: few where the first one never worked. */
const [PATIENCE, PATIENCE_PROVEN] = [2, 8];
/** The longest that a timer is set for; some platforms take no more than 24 days. */
const TIMER_MAX_MS = 86_400_000;

const FINAL = ["bad_message", "forbidden", "replaced"];
const REFUSED = ["unauthorized", "token_expired"];

type Phase = "token" | "opening" | "open" | "waiting" | "paused" | "closed";

export class Machine {
  phase: Phase = "paused";
  private accepted?: string;
  /** When the token ends, by this machine's clock, as far as the server's clock is known. */
  private endsAt?: number;
  private renewAt = 0;
  /** How far the server's clock is ahead of this one. */
  private clockAhead = 0;
  private failures = 0;
  /** Attempts in a row without a welcome. */
  private tries = 0;
  private urlBase = 0;
  private proven = false;
  private why: TokenReason = "start";
  private attemptAt = 0;
  private openAt = 0;
  private notBefore = 0;
  private heardAt = 0;
  private probedAt = 0;
  private beatMs = 0;
  private waitsFor: [code: string, reason: string] = ["lost", ""];
  private dueAt: Partial<Record<TimerName, number>> = {};

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
  ) {}

  /** The address of the attempt under way, or of the connection. */
  get url(): string {
    const { urls } = this.settings;
    return urls[(this.urlBase + this.tries) % urls.length] as string;
  }

  get transport(): Transport {
    const { transports, urls } = this.settings;
    const late = Math.floor(this.tries / urls.length) - (this.proven ? PATIENCE_PROVEN : PATIENCE);
    return (late >= 0 && late % 2 === 0 && transports[1]) || (transports[0] as Transport);
  }

  /** `anew`: everything may have changed while nobody looked, but for the token. */
  connect(anew = false): void {
    const { host } = this;
    this.clear();
    this.attemptAt = host.now();
    const isSpent = this.endsAt !== undefined && this.endsAt <= host.now();
    if (isSpent && this.settings.canRenew) {
      this.accepted = undefined;
      this.why = "expiring";
    }
    if (this.accepted && !anew) {
      this.open();
    } else {
      this.phase = "token";
      this.timer("deadline", TOKEN_DEADLINE_MS);
      host.ask(this.why, this.accepted);
    }
    host.state({ name: "connecting", url: this.url, transport: this.transport });
  }

  /** There is a token, but it is not this machine's turn: it may take as long as it takes. */
  hold(): void {
    if (this.phase === "token") this.timer("deadline");
  }

  /** A token, asked for or not. */
  token(token: string): void {
    this.accepted = token;
    this.endsAt = undefined;
    if (this.phase === "token") {
      this.open();
    } else if (this.phase === "open") {
      this.host.send({ type: "token", token });
      this.plan();
    }
  }

  /** There is none. `final`: nor will there be. */
  noToken(reason: string, final: boolean): void {
    if (final) {
      this.finish("unauthorized", reason);
    } else if (this.phase === "token") {
      this.fail("no_token", reason);
    } else if (this.phase === "open") {
      this.timer("token", BACKOFF_MAX_MS * (0.5 + this.host.random()));
    }
  }

  /** The wire is open. */
  opened(): void {
    this.heard();
    this.host.hello(this.accepted as string);
  }

  /** Something came, whatever it was. */
  heard(): void {
    this.heardAt = this.host.now();
  }

  welcome(message: WelcomeMessage): void {
    const { host, transport, url } = this;
    if (this.phase !== "opening") return;
    this.urlBase = this.settings.urls.indexOf(url);
    if (transport !== this.settings.transports[0]) host.prefer(transport);
    this.phase = "open";
    [this.tries, this.notBefore, this.openAt] = [0, 0, host.now()];
    this.proven = true;
    this.why = "expiring";
    this.beatMs = message.heartbeat_ms;
    this.clear();
    this.timer("beat", this.beatMs * 2);
    this.plan(message.server_time);
    host.state({ name: "open", node: message.node, connection: message.connection, url, transport });
  }

  /** The server's last word before it closes: the next address, if there is one, is better now. */
  bye(afterMs: number): void {
    this.urlBase++;
    this.notBefore = this.host.now() + afterMs;
  }

  /** The wire ended by itself. */
  closed(code: string, reason: string): void {
    if (FINAL.includes(code)) return this.finish(code, reason);
    if (REFUSED.includes(code)) {
      if (!this.settings.canRenew) return this.finish(code, reason);
      this.accepted = undefined;
      this.why = "refused";
    }
    this.fail(code, reason);
  }

  /** Now would be a good time: the network came back, or the person did. */
  resume(): void {
    if (this.phase === "waiting") {
      const at = Math.max(this.notBefore, this.attemptAt + SPACING_MS);
      if (at < (this.dueAt.retry ?? Infinity)) this.wait(at - this.host.now(), ...this.waitsFor);
    } else if (this.phase === "open") {
      this.probe();
    }
  }

  /** The page goes, perhaps to come back. */
  pause(): void {
    if (this.phase === "closed") return;
    this.end("paused");
    this.host.state({ name: "waiting", code: "hidden", reason: "the page is away", retryAt: undefined, retryInMs: undefined });
  }

  /** Connects anew, at once. */
  restart(): void {
    this.end("paused");
    this.failures = 0;
    this.connect(true);
  }

  finish(code: string, reason: string): void {
    if (this.phase === "closed") return;
    this.end("closed");
    this.host.state({ name: "closed", code, reason });
  }

  /** A timer ran out. */
  fired(name: TimerName): void {
    const isLate = this.host.now() - (this.dueAt[name] ?? 0) > SLEPT_MS;
    this.dueAt[name] = undefined;
    if (name === "retry") {
      // All machines of an office wake up at the same time: they shall not all come at once.
      if (isLate) this.wait(this.host.random() * SPACING_MS, ...this.waitsFor);
      else this.connect();
    } else if (name === "deadline") {
      this.fail("timeout", this.phase === "token" ? "no token came in time" : "no welcome came in time");
    } else if (name === "token") {
      if (this.host.now() >= this.renewAt) this.host.ask("expiring");
      else this.renewLater();
    } else {
      this.beat(isLate);
    }
  }

  private open(): void {
    this.phase = "opening";
    this.timer("deadline", DEADLINE_MS);
    this.host.open(this.url, this.transport);
  }

  private beat(isLate: boolean): void {
    const now = this.host.now();
    const silentMs = now - this.heardAt;
    if (this.probedAt && this.heardAt < this.probedAt && !isLate) {
      this.fail("timeout", "nothing was heard for too long");
    } else if (silentMs >= this.beatMs * 2) {
      this.probe();
    } else {
      this.probedAt = 0;
      this.timer("beat", this.beatMs * 2 - silentMs);
    }
  }

  /** Is anybody there? On a stream nobody can be asked; there the server's own signs of life must do. */
  private probe(): void {
    const now = this.host.now();
    if (this.transport === "stream") {
      if (now - this.heardAt >= this.beatMs * 2) this.fail("timeout", "nothing was heard for too long");
      return;
    }
    this.probedAt = now;
    this.timer("beat", PROBE_MS);
    this.host.send({ type: "ping" });
  }

  /** Knows when the token ends by the server's clock; renews it when little of its time is left. */
  private plan(serverTime?: number): void {
    const now = this.host.now();
    if (serverTime !== undefined) this.clockAhead = serverTime - now;
    const exp = claimsOf(this.accepted ?? "").exp;
    if (exp === undefined || !this.settings.canRenew) return;
    this.endsAt = exp * 1000 - this.clockAhead;
    this.renewAt = this.endsAt - Math.min(60_000, (this.endsAt - now) / 4);
    this.renewLater();
  }

  /** Never at once: an app that gives the same old token again and again is asked once a second at most. */
  private renewLater(): void {
    this.timer("token", Math.min(Math.max(this.renewAt - this.host.now(), SPACING_MS), TIMER_MAX_MS));
  }

  private fail(code: string, reason: string): void {
    if (this.phase === "closed" || this.phase === "paused") return;
    if (this.phase === "open" && this.host.now() - this.openAt >= STABLE_MS) this.failures = 0;
    // A server that says no to the token was reached.
    if (this.phase === "opening" && !REFUSED.includes(code)) this.tries++;
    this.end("waiting");
    const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(this.failures++, 7));
    this.wait(Math.max(this.host.random() * bound, this.notBefore - this.host.now()), code, reason);
  }

  private wait(ms: number, code: string, reason: string): void {
    const retryInMs = Math.max(0, Math.round(ms));
    this.phase = "waiting";
    this.waitsFor = [code, reason];
    this.timer("retry", retryInMs);
    this.host.state({ name: "waiting", code, reason, retryAt: this.host.now() + retryInMs, retryInMs });
  }

  private end(phase: Phase): void {
    this.phase = phase;
    this.clear();
    this.host.drop();
  }

  private clear(): void {
    this.probedAt = 0;
    for (const name of ["retry", "deadline", "beat", "token"] as const) this.timer(name);
  }

  private timer(name: TimerName, ms?: number): void {
    this.dueAt[name] = ms === undefined ? undefined : this.host.now() + ms;
    this.host.timer(name, ms);
  }
}
