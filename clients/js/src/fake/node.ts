/**
 * What the fake server does with what it hears: hellos, acks, tokens. How it hears it, and what a test may do with it, stands elsewhere.
 */
import { claimsOf } from "../token.ts";
import type { ClientMessage, ConfirmMessage, ErrorMessage, Key, ServerMessage } from "../wire.ts";
import { type Attached, FakeLedger } from "./ledger.ts";

/** Most messages remembered. */
const RECEIVED_MAX = 10_000;

/** One end of a connection, as the server sees it. */
export interface Peer {
  /** Gives a frame to the client. */
  deliver(messages: readonly ServerMessage[]): void;
  /** Ends it. Without a code the client is not told how. */
  end(code?: number, reason?: string): void;
}

/** A connection that has said hello. */
export interface Live extends Attached {
  readonly user: string;
  readonly peer: Peer;
  token: string;
}

/** Options of a `FakeServer`. */
export interface FakeOptions {
  /** What a welcome says of it. Default 25 s. */
  heartbeatMs?: number;
  /** The server's clock, ms since the epoch, by which tokens end. */
  now?: () => number;
}

export class FakeNode {
  readonly received: ClientMessage[] = [];
  readonly live = new Map<Peer, Live>();
  readonly revoked = new Set<string>();
  readonly toRefuse: { code: string; retry: boolean }[] = [];
  toLose = 0;
  isSilent = false;
  private readonly users = new Map<string, FakeLedger>();
  private time = 1;
  private count = 0;

  constructor(private readonly options: FakeOptions) {}

  ledger(user: string): FakeLedger {
    const ledger = this.users.get(user) ?? new FakeLedger(`w-${user}`, () => this.tick());
    this.users.set(user, ledger);
    return ledger;
  }

  private now(): number {
    return this.options.now?.() ?? Date.now();
  }

  /** Whose token it is, or what is wrong with it. */
  private userOf(token: string): string | { readonly code: string } {
    const { sub, exp } = claimsOf(token);
    if (sub === undefined || this.revoked.has(token)) return { code: "unauthorized" };
    return exp !== undefined && exp * 1000 <= this.now() ? { code: "token_expired" } : sub;
  }

  refuse(peer: Peer, code: string): void {
    peer.deliver([{ type: "error", code, message: code, retry: false }]);
    this.gone(peer, false);
    peer.end(code === "forbidden" ? 4403 : 4401, code);
  }

  tick(): number {
    return ++this.time;
  }

  gone(peer: Peer, isClosed: boolean): void {
    const live = this.live.get(peer);
    this.live.delete(peer);
    if (live) this.ledger(live.user).detach(live, isClosed);
  }

  private note(message: ClientMessage): void {
    this.received.push(message);
    if (this.received.length > RECEIVED_MAX) this.received.shift();
  }

  frame(peer: Peer, text: string): boolean {
    const frame = JSON.parse(text) as ClientMessage | ClientMessage[];
    const answers: ServerMessage[] = [];
    for (const message of Array.isArray(frame) ? frame : [frame]) {
      this.note(message);
      if (message.type === "hello") this.hello(peer, message);
      const live = this.live.get(peer);
      if (live && message.type !== "hello") answers.push(...this.message(live.user, live.device, message, live));
    }
    if (answers.length) peer.deliver(answers);
    return true;
  }

  private hello(peer: Peer, hello: ClientMessage): void {
    const device = String(hello.device);
    const user = this.userOf(String(hello.token));
    if (typeof user === "object") return this.refuse(peer, user.code);
    const ledger = this.ledger(user);
    const answers = ((hello.acks ?? []) as Said[]).map((ack) => this.record(ledger, device, ack) ?? lostOf(ack));
    const live: Live = {
      user,
      device,
      peer,
      token: String(hello.token),
      visible: hello.visible !== false,
      order: this.tick(),
      maxInFlight: Number(hello.max_in_flight ?? 16),
      send: (message) => this.live.has(peer) && peer.deliver([message]),
      replace: () => {
        this.gone(peer, false);
        peer.deliver([{ type: "bye", code: "replaced", reason: "replaced", reconnect: false, after_ms: 0 }]);
        peer.end(4409, "replaced");
      },
    };
    this.live.set(peer, live);
    peer.deliver([
      {
        type: "welcome",
        user,
        device,
        connection: `c${++this.count}`,
        node: "fake",
        window: { id: ledger.window, opened_at: 0, closes_at: 86_400_000 },
        server_time: this.now(),
        heartbeat_ms: this.options.heartbeatMs ?? 25_000,
        max_in_flight: live.maxInFlight,
        acks: answers,
      },
    ]);
    ledger.attach(live, (hello.open ?? []) as Key[]);
  }

  private message(user: string, device: string, message: ClientMessage, live?: Live): ServerMessage[] {
    const ledger = this.ledger(user);
    if (message.type === "ack" || message.type === "dismiss") {
      const answer = this.record(ledger, device, message as unknown as Said);
      return answer ? [answer] : [];
    }
    if (message.type === "ping") return this.isSilent ? [] : [{ type: "pong" }];
    if (message.type === "token" && live) {
      const renewed = this.userOf(String(message.token));
      if (renewed !== user) this.refuse(live.peer, typeof renewed === "object" ? renewed.code : "forbidden");
      live.token = String(message.token);
    }
    if (message.type === "visible" && live) {
      if (message.visible && !live.visible) live.order = this.tick();
      live.visible = message.visible === true;
      ledger.fill();
    }
    return [];
  }

  /** None: it is recorded, and the answer is lost. */
  private record(ledger: FakeLedger, device: string, { id, window, step, data, ref }: Said): ConfirmMessage | ErrorMessage | undefined {
    const refusal = this.toRefuse.shift();
    if (refusal) return { type: "error", ...refusal, message: refusal.code, ref };
    const answer = ledger.ack(device, { id, window }, step, data);
    if (this.toLose > 0) return this.toLose--, undefined;
    return { ...answer, ref };
  }

  post(body: string): ServerMessage[] | undefined {
    const { token, device, messages } = JSON.parse(body) as { token: string; device: string; messages: ClientMessage[] };
    const user = this.userOf(token);
    if (typeof user === "object") return undefined;
    const live = [...this.live.values()].find((one) => one.user === user && one.device === device);
    return messages.flatMap((message) => {
      this.note(message);
      return this.message(user, device, message, live);
    });
  }
}

type Said = Key & { readonly step?: number; readonly data?: unknown; readonly ref?: number };

/** In a welcome each ack has its answer; one that is lost comes as an error that says nothing. */
const lostOf = ({ ref }: Said): ErrorMessage => ({ type: "error", code: "unavailable", message: "lost", retry: true, ref });
