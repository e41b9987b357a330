/**
 * A server in memory, for the tests of apps: connects, offers, confirms, forgets confirms, cuts lines. It speaks the client protocol over the `WebSocket` and `fetch` that it
 * gives, and needs no network and no time.
 */
import type { Environment } from "../types.ts";
import type { Engagement, Stored } from "./ledger.ts";
import { FakeNode, type FakeOptions } from "./node.ts";
import { socketClass, streamFetch } from "./transports.ts";

export type { Engagement, Stored } from "./ledger.ts";
export type { FakeOptions } from "./node.ts";

/** A connection that the fake server has. */
export interface Connection {
  readonly user: string;
  readonly device: string;
  readonly visible: boolean;
}

/** A server in memory. Make one for each test. */
export class FakeServer {
  /** For `connect`. */
  readonly url = "http://engage.fake";
  /** For `connect`: what leads here instead of into the network. */
  readonly environment: Pick<Environment, "WebSocket" | "fetch" | "sendBeacon">;
  private readonly node: FakeNode;
  private isUp = true;
  private hasSockets = true;

  constructor(options: FakeOptions = {}) {
    const node = new FakeNode(options);
    this.node = node;
    this.environment = {
      WebSocket: socketClass({
        open: (peer) => (this.isUp && this.hasSockets ? true : (peer.end(), false)),
        frame: (peer, text) => node.frame(peer, text),
        closed: (peer) => node.gone(peer, true),
      }),
      fetch: streamFetch({
        hello: (peer, hello) => (this.isUp ? node.frame(peer, hello) : false),
        post: (body) => (this.isUp ? node.post(body) : undefined),
        closed: (peer) => node.gone(peer, false),
      }),
      sendBeacon: (_url, body) => this.isUp && !!node.post(body),
    };
  }

  /** All that clients said, oldest first, the newest 10,000. */
  get received(): readonly Readonly<Record<string, unknown>>[] {
    return this.node.received;
  }

  /** Whether it answers pings. */
  answerPings(answers: boolean): void {
    this.node.isSilent = !answers;
  }

  /** A token for a user. It is not signed: only this server takes it. */
  token(user: string, claims: { exp?: number; device?: string } = {}): string {
    const text = encodeURIComponent(JSON.stringify({ sub: user, ...claims }));
    const bytes = text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return `e30.${btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")}.fake`;
  }

  /** Takes a token for no good any more, and ends the connections that have it. */
  revoke(token: string): void {
    this.node.revoked.add(token);
    for (const [peer, live] of [...this.node.live]) if (live.token === token) this.node.refuse(peer, "unauthorized");
  }

  /** Publishes to a user, as `POST /v1/users/{user}/engagements` does. */
  publish(user: string, engagement: Engagement): "queued" | "duplicate" {
    return this.node.ledger(user).publish(engagement);
  }

  /** Sends what is not kept: `mode: "fire_and_forget"`. Returns to how many devices. */
  notice(user: string, id: string, payload: unknown = null): number {
    const all = this.node.ledger(user).attached;
    for (const device of all.values()) device.send({ type: "notice", id, payload, at: this.node.tick() });
    return all.size;
  }

  /** The publisher takes it back. */
  withdraw(user: string, id: string): void {
    this.node.ledger(user).end(id, "withdrawn");
  }

  /** Its time is up. */
  expire(user: string, id: string): void {
    this.node.ledger(user).end(id, "expired");
  }

  /** The snooze of all that was snoozed is over. */
  wake(user: string): void {
    this.node.ledger(user).wake();
  }

  /** Records the next acks, but never says so, not even when asked again on the same connection: what happens when an answer is lost on the wire. */
  loseNextConfirm(count = 1): void {
    this.node.toLose += count;
  }

  /** Refuses the next ack. With `retry`, the client is to try again. */
  refuseNext(code: string, retry = false): void {
    this.node.toRefuse.push({ code, retry });
  }

  /** No answer is lost or refused any more. */
  endLosses(): void {
    this.node.toLose = 0;
    this.node.toRefuse.length = 0;
  }

  /** Connections break, of one device or of all, without a word. What they hold is kept for them. */
  cut(device?: string): void {
    for (const [peer, live] of [...this.node.live]) {
      if (device !== undefined && live.device !== device) continue;
      this.node.gone(peer, false);
      peer.end();
    }
  }

  /** Tells all clients to come back later, and closes. */
  bye(code: string, closeCode: number, afterMs = 0): void {
    for (const [peer] of [...this.node.live]) {
      peer.deliver([{ type: "bye", code, reason: code, reconnect: true, after_ms: afterMs }]);
      this.node.gone(peer, false);
      peer.end(closeCode, code);
    }
  }

  /** Nobody can connect any more, until {@link FakeServer.start}. */
  stop(): void {
    this.isUp = false;
    this.cut();
  }

  /** They can again. */
  start(): void {
    this.isUp = true;
  }

  /** As a network that lets no WebSocket through. */
  blockWebSockets(isBlocked = true): void {
    this.hasSockets = !isBlocked;
  }

  /** A device that was lost is not waited for any more. */
  endLease(user: string, device: string): void {
    this.node.ledger(user).release(device);
  }

  /** The deliveries of a user, oldest first. */
  deliveries(user: string): readonly Readonly<Stored>[] {
    return this.node.ledger(user).deliveries;
  }

  /** One of them. */
  delivery(user: string, id: string): Readonly<Stored> | undefined {
    return this.node.ledger(user).deliveries.find((one) => one.id === id);
  }

  /** Who is connected. */
  get connections(): readonly Connection[] {
    return [...this.node.live.values()].map(({ user, device, visible }) => ({ user, device, visible }));
  }
}
