/**
 * A server in memory, for the tests of apps: connects, offers, confirms, forgets confirms, cuts lines. It speaks the client protocol over the `WebSocket` and `fetch` that it
 * gives, and needs no network and no time.
 */
import type { Environment, SocketLike } from "../types.ts";
import type { ClientMessage, ConfirmMessage, ErrorMessage, Key, ServerMessage } from "../wire.ts";
import { claimsOf } from "../token.ts";
import { type Attached, type Engagement, FakeLedger, type Stored } from "./ledger.ts";
import { socketClass, streamFetch } from "./transports.ts";

export type { Engagement, Stored } from "./ledger.ts";

/** One end of a connection, as the server sees it. */
export interface Peer {
  /** Gives a frame to the client. */
  deliver(messages: readonly ServerMessage[]): void;
  /** Ends it. Without a code the client is not told how. */
  end(code?: number, reason?: string): void;
}

/** A connection that the fake server has. */
export interface Connection {
  readonly user: string;
  readonly device: string;
  readonly visible: boolean;
}

interface Live extends Attached {
  readonly user: string;
  readonly peer: Peer;
  token: string;
}

/** Options of a {@link FakeServer}. */
export interface FakeOptions {
  /** What a welcome says of it. Default 25 s. */
  heartbeatMs?: number;
  /** The server's clock, ms since the epoch, by which tokens end. */
  now?: () => number;
}

export class FakeServer {
  /** For `connect`. */
  readonly url = "http://engage.fake";
  /** For `connect`: what leads here instead of into the network. */
  readonly environment: Pick<Environment, "WebSocket" | "fetch" | "sendBeacon">;
  /** All that clients said, oldest first, the newest 10,000. */
  readonly received: ClientMessage[] = [];
  /** Whether it answers pings. */
  isSilent = false;
  private readonly users = new Map<string, FakeLedger>();
  private readonly live = new Map<Peer, Live>();
  private toLose = 0;
  private readonly revoked = new Set<string>();
  private readonly toRefuse: { code: string; retry: boolean }[] = [];
  private isUp = true;
  private hasSockets = true;
  private time = 1;
  private count = 0;

  constructor(private readonly options: FakeOptions = {}) {
    this.environment = {
      WebSocket: socketClass({
        open: (peer) => (this.isUp && this.hasSockets ? true : (peer.end(), false)),
        frame: (peer, text) => this.frame(peer, text),
        closed: (peer) => this.gone(peer, true),
      }) as new (url: string, protocols: string[]) => SocketLike,
      fetch: streamFetch({
        hello: (peer, hello) => (this.isUp ? this.frame(peer, hello) : false),
        post: (body) => (this.isUp ? this.post(body) : undefined),
        closed: (peer) => this.gone(peer, false),
      }),
      sendBeacon: (_url, body) => this.isUp && !!this.post(body),
    };
  }

  /** A token for a user. It is not signed: only this server takes it. */
  token(user: string, claims: { exp?: number; device?: string } = {}): string {
    const text = encodeURIComponent(JSON.stringify({ sub: user, ...claims }));
    const bytes = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return `e30.${btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")}.fake`;
  }

  /** Takes a token for no good any more, and ends the connections that have it. */
  revoke(token: string): void {
    this.revoked.add(token);
    for (const [peer, live] of [...this.live]) if (live.token === token) this.refuse(peer, "unauthorized");
  }

  /** Publishes to a user, as `POST /v1/users/{user}/engagements` does. */
  publish(user: string, engagement: Engagement): "queued" | "duplicate" {
    return this.ledger(user).publish(engagement);
  }

  /** Sends what is not kept: `mode: "fire_and_forget"`. Returns to how many devices. */
  notice(user: string, id: string, payload: unknown = null): number {
    const all = this.ledger(user).attached;
    for (const device of all.values()) device.send({ type: "notice", id, payload, at: this.tick() });
    return all.size;
  }

  /** The publisher takes it back. */
  withdraw(user: string, id: string): void {
    this.ledger(user).end(id, "withdrawn");
  }

  /** Its time is up. */
  expire(user: string, id: string): void {
    this.ledger(user).end(id, "expired");
  }

  /** The snooze of all that was snoozed is over. */
  wake(user: string): void {
    this.ledger(user).wake();
  }

  /** Records the next acks, but never says so, not even when asked again on the same connection: what happens when an answer is lost on the wire. */
  loseNextConfirm(count = 1): void {
    this.toLose += count;
  }

  /** Refuses the next ack. With `retry`, the client is to try again. */
  refuseNext(code: string, retry = false): void {
    this.toRefuse.push({ code, retry });
  }

  /** No answer is lost or refused any more. */
  endLosses(): void {
    this.toLose = 0;
    this.toRefuse.length = 0;
  }

  /** Connections break, of one device or of all, without a word. What they hold is kept for them. */
  cut(device?: string): void {
    for (const [peer, live] of [...this.live]) {
      if (device !== undefined && live.device !== device) continue;
      this.gone(peer, false);
      peer.end();
    }
  }

  /** Tells all clients to come back later, and closes. */
  bye(code: string, closeCode: number, afterMs = 0): void {
    for (const [peer] of [...this.live]) {
      peer.deliver([{ type: "bye", code, reason: code, reconnect: true, after_ms: afterMs }]);
      this.gone(peer, false);
      peer.end(closeCode, code);
    }
  }

  /** Nobody can connect any more, until {@link FakeServer.start}. */
  stop(): void {
    this.isUp = false;
    this.cut();
  }

  start(): void {
    this.isUp = true;
  }

  /** As a network that lets no WebSocket through. */
  blockWebSockets(isBlocked = true): void {
    this.hasSockets = !isBlocked;
  }

  /** A device that was lost is not waited for any more. */
  endLease(user: string, device: string): void {
    this.ledger(user).release(device);
  }

  /** The deliveries of a user, oldest first. */
  deliveries(user: string): readonly Readonly<Stored>[] {
    return this.ledger(user).deliveries;
  }

  /** One of them. */
  delivery(user: string, id: string): Readonly<Stored> | undefined {
    return this.ledger(user).deliveries.find((one) => one.id === id);
  }

  get connections(): readonly Connection[] {
    return [...this.live.values()].map(({ user, device, visible }) => ({ user, device, visible }));
  }

  private ledger(user: string): FakeLedger {
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

  private refuse(peer: Peer, code: string): void {
    peer.deliver([{ type: "error", code, message: code, retry: false }]);
    this.gone(peer, false);
    peer.end(code === "forbidden" ? 4403 : 4401, code);
  }

  private tick(): number {
    return ++this.time;
  }

  private gone(peer: Peer, isClosed: boolean): void {
    const live = this.live.get(peer);
    this.live.delete(peer);
    if (live) this.ledger(live.user).detach(live, isClosed);
  }

  private note(message: ClientMessage): void {
    this.received.push(message);
    if (this.received.length > 10_000) this.received.shift();
  }

  private frame(peer: Peer, text: string): boolean {
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

  private post(body: string): ServerMessage[] | undefined {
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
