/**
 * The life of a connection, as a state machine: what happened comes in as a call, what is to be done goes out to the {@link Host}. It has no timer, socket or storage of
 * its own, and no clock but the host's, so that a test can put it into any situation.
 *
 * Like most of this package it is a function that keeps its state in its own variables: nobody else can touch it, and it is small when minified.
 */
import type { Host, Machine, Phase, Settings } from "./host.ts";
import { claimsOf } from "./token.ts";
import type { State, TokenReason, Transport } from "./types.ts";
import { windowOf } from "./words.ts";

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
/** Before its end a token is renewed by a quarter of what is left of it, but no more than this. */
const RENEW_MAX_MS = 60_000;
/** Rounds over all addresses before the other transport gets a turn: few where the first one never worked. */
const PATIENCE = 2;
const PATIENCE_PROVEN = 8;
/** The longest that a timer is set for; some platforms take no more than 24 days. */
const TIMER_MAX_MS = 86_400_000;

const isFinal = (code: string): boolean => /^(bad_message|forbidden|replaced)$/.test(code);
const isRefusal = (code: string): boolean => /^(unauthorized|token_expired)$/.test(code);

export function createMachine(host: Host, { urls, transports, canRenew }: Settings): Machine {
  let phase: Phase = "paused";
  let accepted: string | undefined;
  /** When the token ends, and when to renew it, by this machine's clock as far as the server's is known. */
  let endsAt = Infinity;
  let renewAt = Infinity;
  let clockAhead = 0;
  let failures = 0;
  /** Attempts in a row without a welcome. */
  let tries = 0;
  let urlBase = 0;
  let isProven = false;
  let current: Transport;
  let why: TokenReason = "start";
  let attemptAt = 0;
  let openAt = 0;
  let notBefore = 0;
  let heardAt = 0;
  /** When a ping went out that nothing has followed yet. */
  let probedAt = 0;
  let beatMs = 0;
  let retryAt = Infinity;
  let welcomed: State;
  let waitsFor: [code: string, reason: string] = ["lost", ""];

  const { now, timer } = host;
  const url = (): string => urls[(urlBase + tries) % urls.length] as string;

  const transport = (): Transport => {
    const late = Math.floor(tries / urls.length) - (isProven ? PATIENCE_PROVEN : PATIENCE);
    return (late >= 0 && late % 2 === 0 && transports[1]) || (transports[0] as Transport);
  };

  const clear = (): void => {
    probedAt = 0;
    host.stop();
  };

  const end = (next: Phase): void => {
    phase = next;
    clear();
    host.drop();
  };

  const open = (): void => {
    phase = "opening";
    timer("deadline", DEADLINE_MS);
    current = transport();
    host.open(url(), current);
  };

  const connect = (anew?: boolean): void => {
    clear();
    attemptAt = now();
    if (endsAt <= attemptAt && canRenew) {
      accepted = undefined;
      why = "expiring";
    }
    if (accepted && !anew) {
      open();
    } else {
      phase = "token";
      timer("deadline", TOKEN_DEADLINE_MS);
      host.ask(why, accepted);
    }
    host.state({ name: "connecting", url: url(), transport: transport() });
  };

  const wait = (ms: number, code: string, reason: string): void => {
    const retryInMs = Math.max(0, Math.round(ms));
    phase = "waiting";
    waitsFor = [code, reason];
    retryAt = now() + retryInMs;
    timer("retry", retryInMs);
    host.state({ name: "waiting", code, reason, retryAt, retryInMs });
  };

  const fail = (code: string, reason: string): void => {
    if (phase === "closed" || phase === "paused") return;
    if (phase === "open" && now() - openAt >= STABLE_MS) failures = 0;
    // A server that says no to the token was reached.
    if (phase === "opening" && !isRefusal(code)) tries++;
    end("waiting");
    const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures++, 7));
    wait(Math.max(host.random() * bound, notBefore - now()), code, reason);
  };

  const finish = (code: string, reason: string): void => {
    if (phase === "closed") return;
    end("closed");
    host.state({ name: "closed", code, reason });
  };

  /** Never at once: an app that gives the same old token again and again is asked once a second at most. */
  const renewLater = (): void => timer("token", Math.min(Math.max(renewAt - now(), SPACING_MS), TIMER_MAX_MS));

  /** Knows when the token ends by the server's clock; renews it when little of its time is left. */
  const plan = (): void => {
    const { exp } = claimsOf(accepted as string);
    if (!exp || !canRenew) return;
    endsAt = exp * 1000 - clockAhead;
    renewAt = endsAt - Math.min(RENEW_MAX_MS, (endsAt - now()) / 4);
    renewLater();
  };

  const silence = (): void => fail("timeout", "silence");

  /** Is anybody there? On a stream nobody can be asked; there the server's own signs of life must do. */
  const probe = (): void => {
    if (current === "stream") {
      if (now() - heardAt >= beatMs * 2) silence();
      return;
    }
    probedAt = now();
    timer("beat", PROBE_MS);
    host.send({ type: "ping" });
  };

  const beat = (isLate: boolean): void => {
    const leftMs = heardAt + beatMs * 2 - now();
    if (heardAt < probedAt && !isLate) silence();
    else if (leftMs <= 0 || heardAt < probedAt) probe();
    else {
      probedAt = 0;
      timer("beat", leftMs);
    }
  };

  return {
    phase: () => phase,
    url,
    connect,
    finish,
    hold() {
      if (phase === "token") clear();
    },
    token(token) {
      accepted = token;
      endsAt = Infinity;
      if (phase === "token") open();
      else if (phase === "open") {
        host.send({ type: "token", token });
        plan();
      }
    },
    noToken(reason, isOver) {
      if (isOver) finish("unauthorized", reason);
      else if (phase === "token") fail("no_token", reason);
      else if (phase === "open") timer("token", BACKOFF_MAX_MS * (0.5 + host.random()));
    },
    opened() {
      heardAt = now();
      host.hello(accepted as string);
    },
    heard() {
      heardAt = now();
    },
    welcome({ user, device, node, connection, window, server_time: serverTime, heartbeat_ms }) {
      if (phase !== "opening") return;
      if (current !== transports[0]) host.prefer(current);
      phase = "open";
      urlBase += tries;
      tries = notBefore = 0;
      isProven = true;
      openAt = now();
      why = "expiring";
      beatMs = heartbeat_ms;
      clockAhead = serverTime - openAt;
      clear();
      timer("beat", beatMs * 2);
      plan();
      welcomed = { name: "open", user, device, node, connection, url: url(), transport: current, window: windowOf(window), serverTime };
    },
    caughtUp: () => host.state(welcomed),
    bye(afterMs) {
      urlBase++;
      notBefore = now() + afterMs;
    },
    closed(code, reason) {
      if (isFinal(code) || (isRefusal(code) && !canRenew)) return finish(code, reason);
      if (isRefusal(code)) {
        accepted = undefined;
        why = "refused";
      }
      fail(code, reason);
    },
    resume() {
      if (phase === "waiting") {
        const at = Math.max(notBefore, attemptAt + SPACING_MS);
        if (at < retryAt) wait(at - now(), ...waitsFor);
      } else if (phase === "open") probe();
    },
    pause() {
      if (phase === "closed") return;
      end("paused");
      host.state({ name: "waiting", code: "hidden", reason: "hidden", retryAt: undefined, retryInMs: undefined });
    },
    restart() {
      end("paused");
      failures = 0;
      connect(true);
    },
    fired(name, isLate) {
      // All machines of an office wake up at the same time: they shall not all come at once.
      if (name === "retry") isLate ? wait(host.random() * SPACING_MS, ...waitsFor) : connect();
      else if (name === "beat") beat(isLate);
      else if (name === "deadline") fail("timeout", `no ${phase === "token" ? "token" : "welcome"} in time`);
      // Timers may fire a little early: that must not cost the second that the next one would wait.
      else if (now() < renewAt - SPACING_MS) renewLater();
      else host.ask("expiring");
    },
  };
}
