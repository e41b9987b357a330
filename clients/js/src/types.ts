/**
 * The public interface of the client. Types only: everything that an app can see or pass in stands here, and nothing else does.
 */

/** Starts a client. It connects by itself, and again after every loss, until {@link Engage.close}. */
export type Connect = (options: Options) => Engage;

/** How to connect, and as whom. Only `url` and one of `token` and `getToken` are needed. */
export interface Options {
  /** The base address of a node, like `https://engage.example`; several are tried in turn. `http:` and `ws:` mean the same here, and so do `https:` and `wss:`. */
  url: string | readonly string[];
  /** The user's token. It can't be renewed: when the server refuses it, the client closes. Prefer `getToken`. */
  token?: string;
  /**
   * Gives a token: at the start, before the one in use expires, and after the server refused it. An empty answer means that nobody is signed in any more: the client
   * closes. Where it fails, it is asked again, with back-off.
   */
  getToken?: (why: TokenReason) => string | null | undefined | Promise<string | null | undefined>;
  /** The id of this installation. By default the token's, if it names one, or else one that is made once and kept in `storage`. */
  device?: string;
  /** Most unsettled offers that this device holds at once, 1 to 256. The server's default is 16. */
  maxInFlight?: number;
  /** How many deliveries are shown at once: the rest wait here, by priority, until one is off the screen ({@link Delivery.close}). By default there is no limit. */
  show?: number;
  /** Whether the person can see it. `"page"`, the default, follows the page's or the app's own state; where there is none, it is visible. */
  visible?: boolean | "page";
  /** Where acks without a confirm survive a reload. By default IndexedDB, else localStorage, else memory. */
  storage?: Store | "memory";
  /**
   * Tabs of one browser act as one device, with one connection: the default, where there are Web Locks and BroadcastChannel. Without, each tab is a device of its own.
   */
  tabs?: boolean;
  /** `"auto"`, the default, is a WebSocket, and server-sent events where WebSockets can't be had. */
  transport?: "auto" | Transport;
  /** What the client finds around it. Whatever is not given is taken from `globalThis`, where it is there. */
  environment?: Partial<Environment>;
}

/** Why a token is asked for. */
export type TokenReason = "start" | "expiring" | "refused";

/** How messages travel. */
export type Transport = "websocket" | "stream";

/** A connected client. */
export interface Engage {
  /** What it is doing. */
  readonly state: State;
  /** The user, from the token. */
  readonly user: string | undefined;
  /** The id of this device; empty until it is known. */
  readonly device: string;
  /** What this page shows, in the order in which it was offered. A new array whenever something about one of them changes. */
  readonly deliveries: readonly Delivery[];
  /** How many acks and dismissals have no confirm yet. */
  readonly pending: number;
  /** Resolves when connected, and all that was waiting has been said; rejects when the client is closed. */
  ready(): Promise<Welcome>;
  /** Listens. Returns its own undo. Offers wait until somebody listens for them, and are told while the client is open only. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  /** Says whether the person can see it, from now on instead of the page. `"page"` gives that back. */
  setVisible(visible: boolean | "page"): void;
  /** Drops the connection, if there is one, and connects again at once; also when the server has closed it for good. */
  reconnect(): void;
  /**
   * Ends it. What waits for a confirm is kept for the next time; its promises are rejected with the code `closed`. Nothing that was on the screen is settled by it.
   */
  close(): Promise<void>;
}

/** What happens, by name. */
export interface Events {
  /** The client does something else now. */
  state: State;
  /** Something is to be shown. */
  offer: Delivery;
  /** Something worthless late, to be shown at once or never. */
  notice: Notice;
  /** It is to be taken off the screen. {@link Delivery.signal} was aborted just before. */
  withdraw: Withdrawal;
  /** Another device went on with it: `delivery.nextStep` and `delivery.data` have changed. */
  progress: Delivery;
  /** Its time is up; a `withdraw` event comes as well. */
  expire: Delivery;
  /** A new session window. */
  window: Window;
  /** The server's word on an ack or a dismissal, also on one of an earlier page. */
  confirm: Confirmed;
  /** An ack that was refused for good, a token that could not be had, storage that failed. */
  error: EngageError;
  /** Something changed in {@link Engage.deliveries} or {@link Engage.pending}. For views that draw all of it anew. */
  change: undefined;
  /** Every message, in and out, with tokens left out. For debugging. */
  message: Traffic;
}

/** What the client is doing. */
export type State =
  | { readonly name: "connecting"; readonly url: string; readonly transport: Transport }
  | Welcome
  | {
      readonly name: "waiting";
      /** For people, where there is more to say than the code. */
      readonly reason: string;
      /** A code of the contract, or `lost`, `timeout`, `no_token`, `hidden` (the page is in the back-forward cache, or on its way out). */
      readonly code: string;
      /** When it connects again, ms since the epoch by this machine's clock; none while it waits for an event. */
      readonly retryAt: number | undefined;
      readonly retryInMs: number | undefined;
    }
  | {
      readonly name: "closed";
      /** For people. */
      readonly reason: string;
      /** `closed` after {@link Engage.close}; otherwise why it doesn't connect again: `unauthorized`, `token_expired`, `forbidden`, `replaced`, `bad_message`; `other_user`: a client is for one user. */
      readonly code: string;
    };

/**
 * One engagement, to be shown on this device. Say so with {@link Delivery.shown}, and what was done in it with {@link Delivery.step}: each promise resolves when the server
 * has recorded it, never before. What is said without a connection is kept, and sent as soon as there is one.
 */
export interface Delivery<Payload = unknown, Data = unknown> {
  /** The engagement's id. With `window` it names the delivery. */
  readonly id: string;
  readonly window: string;
  readonly scope: "user" | "device";
  /** How often it was offered, to any device. */
  readonly offer: number;
  /** The step to show next, from 1. After the last one: `steps + 1`. */
  readonly nextStep: number;
  readonly steps: number;
  /** What ends it: that it was shown, or that its last step is done. */
  readonly settleOn: "shown" | "completed";
  /** What was said last with a step, on any device; null if nothing was. */
  readonly data: Data | null;
  readonly payload: Payload;
  readonly priority: number;
  /** Some of it was done before it came here: go on at `nextStep`. */
  readonly resumed: boolean;
  /** How long it had to live when it was offered. */
  readonly expiresInMs: number;
  /** As far as the server has confirmed it. */
  readonly state: DeliveryState;
  /** Aborted when it is to be taken off the screen; `signal.reason` is the {@link WithdrawReason}. */
  readonly signal: AbortSignal;
  /** It is on the screen. */
  shown(): Promise<Confirmed>;
  /** Steps 1 to `step` are done; `data` (JSON, at most 4 KiB) replaces what was said before. The last step completes it. */
  step(step: number, data?: Data): Promise<Confirmed>;
  /** All steps are done. */
  complete(data?: Data): Promise<Confirmed>;
  /** The person doesn't want it (now: it comes back, if the engagement has a `snooze`). */
  dismiss(): Promise<Confirmed>;
  /** Acks before anything is shown: show it only if the answer says so. For what must rather be missed than seen twice. */
  claim(): Promise<Claim>;
  /** It is off the screen, and nothing more is to be said: makes room for the next one. `complete` and `dismiss` do so by themselves. */
  close(): void;
  /** Listens to this delivery alone. Returns its own undo. */
  on<Name extends keyof DeliveryEvents>(name: Name, listener: (event: DeliveryEvents[Name]) => void): () => void;
}

/** What happens to one delivery. */
export interface DeliveryEvents {
  /** To be taken off the screen. */
  withdraw: WithdrawReason;
  /** Another device went on with it. */
  progress: undefined;
  /** Its time is up; `withdraw` comes as well. */
  expire: undefined;
  /** The server's word on an ack or a dismissal. */
  confirm: Confirmed;
}

/** How far a delivery is; the last five are settled. */
export type DeliveryState = "queued" | "offered" | "shown" | "in_progress" | "completed" | "dismissed" | "expired" | "withdrawn" | "dropped";

/** Why a delivery leaves the screen: `moved` to another device or tab, the others as the server says; `closed`: this client ended. */
export type WithdrawReason = "moved" | "done_elsewhere" | "withdrawn" | "expired" | "closed";

/** A delivery that is to be taken off the screen. */
export interface Withdrawal {
  readonly delivery: Delivery;
  readonly reason: WithdrawReason;
}

/** The server's word: it is recorded by a majority. */
export interface Confirmed {
  readonly id: string;
  readonly window: string;
  readonly state: DeliveryState;
  /** The highest step that is done. */
  readonly step: number;
  readonly steps: number;
  /** Whether this device's word settled it. */
  readonly yours: boolean;
  /** Whether it is over. */
  readonly settled: boolean;
  /** Ledger time, ms since the epoch. */
  readonly at: number;
}

/** The answer to {@link Delivery.claim}. */
export interface Claim extends Confirmed {
  /** Show it: no other device has, and none will. (For a delivery that ends only when it is completed: it is not settled, and this device holds it.) */
  readonly show: boolean;
}

/** A message that is not repeated. */
export interface Notice<Payload = unknown> {
  readonly id: string;
  readonly payload: Payload;
  /** Ledger time, ms since the epoch. */
  readonly at: number;
  /** Tells the publisher. Best effort: there is no confirm. */
  seen(): void;
}

/** A session window. */
export interface Window {
  readonly id: string;
  /** Server time, ms since the epoch. */
  readonly openedAt: number;
  readonly closesAt: number;
}

/** The server's answer to a new connection. */
export interface Welcome {
  readonly name: "open";
  readonly user: string;
  readonly device: string;
  /** The name of the node. */
  readonly node: string;
  /** The connection's id, for the node's log. */
  readonly connection: string;
  readonly url: string;
  readonly transport: Transport;
  /** The session window, as it was then. */
  readonly window: Window;
  /** Server time, ms since the epoch, as it was then. */
  readonly serverTime: number;
}

/** Something that went wrong, with a stable `code`. */
export interface EngageError extends Error {
  readonly name: "EngageError";
  /** A code of the contract, or `closed`, `outbox_full` (256 acks wait for a confirm), `no_token`, `storage`. */
  readonly code: string;
  /** Whether it may work later. What is kept in the outbox is tried again without your doing. */
  readonly retry: boolean;
}

/** One message, as it went over the wire. */
export interface Traffic {
  readonly direction: "in" | "out";
  readonly message: Readonly<Record<string, unknown>>;
  /** By this machine's clock, ms since the epoch. */
  readonly at: number;
}

/** Where texts are kept: `localStorage`, React Native's `AsyncStorage`, or your own. */
export interface Store {
  getItem(key: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(key: string, value: string): unknown;
}

/** A function that takes an event, whatever more the platform says about that event. */
export type Handler<Event> = { handle(event: Event): void }["handle"] | null;

/** A WebSocket, as far as it is used. */
export interface SocketLike {
  onopen: Handler<unknown>;
  onmessage: Handler<{ readonly data: unknown }>;
  onclose: Handler<{ readonly code: number; readonly reason: string }>;
  onerror: Handler<unknown>;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** Web Locks, as far as they are used. */
export interface LocksLike {
  request(name: string, options: { ifAvailable?: boolean }, run: (lock: unknown) => unknown): Promise<unknown>;
}

/** A BroadcastChannel, as far as it is used. */
export interface ChannelLike {
  onmessage: Handler<{ readonly data: unknown }>;
  postMessage(message: unknown): void;
  close(): void;
}

/** An IndexedDB request, as far as it is used. */
export interface RequestLike {
  readonly result: unknown;
  readonly error: unknown;
  onsuccess: Handler<unknown>;
  onerror: Handler<unknown>;
}

/** IndexedDB, as far as it is named here. */
export interface IndexedDbLike {
  open(name: string, version?: number): RequestLike;
}

/** Something that tells of events, like `window`. */
export interface Target {
  addEventListener(name: string, listener: (event: unknown) => void): unknown;
  removeEventListener(name: string, listener: (event: unknown) => void): unknown;
}

/** What the client finds around it; everything can be replaced, for tests and for platforms that are different. */
export interface Environment {
  WebSocket: new (url: string, protocols: string[]) => SocketLike;
  fetch: typeof fetch;
  /** Sends as the page goes; false: it was not taken. */
  sendBeacon: (url: string, body: string) => boolean;
  setTimeout: (run: () => void, ms: number) => unknown;
  clearTimeout: (timer: never) => void;
  /** This machine's clock, ms since the epoch. */
  now: () => number;
  /** From 0 to less than 1. */
  random: () => number;
  indexedDB: IndexedDbLike;
  localStorage: Store;
  /** What lives as long as the tab. */
  sessionStorage: Store;
  locks: LocksLike;
  BroadcastChannel: new (name: string) => ChannelLike;
  /** Tells of `online`, `pagehide` and `pageshow`. */
  window: Target;
  /** Tells of `visibilitychange`. */
  document: Target & { readonly visibilityState: string };
  /** React Native's `AppState`. */
  appState: { readonly currentState: string; addEventListener(name: "change", listener: (state: string) => void): { remove(): void } };
}
