/**
 * The messages of the client protocol (CONTRACT §8), as they stand on the wire, and what their codes mean. Nothing is sent here.
 */
import type { DeliveryState, WithdrawReason } from "./types.ts";

/** What names a delivery. */
export interface Key {
  readonly id: string;
  readonly window: string;
}

export interface OfferMessage extends Key {
  readonly type: "offer";
  readonly scope: "user" | "device";
  readonly offer: number;
  readonly step: number;
  readonly steps: number;
  readonly settle_on: "shown" | "completed";
  readonly data: unknown;
  readonly payload: unknown;
  readonly priority: number;
  readonly expires_in_ms: number;
  readonly at: number;
}

export interface ConfirmMessage extends Key {
  readonly type: "confirm";
  readonly step: number;
  readonly steps: number;
  readonly state: DeliveryState;
  readonly yours: boolean;
  readonly at: number;
  readonly ref?: number;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
  readonly ref?: number;
}

export interface WindowFields {
  readonly id: string;
  readonly opened_at: number;
  readonly closes_at: number;
}

export interface WelcomeMessage {
  readonly type: "welcome";
  readonly user: string;
  readonly device: string;
  readonly connection: string;
  readonly node: string;
  readonly window: WindowFields;
  readonly server_time: number;
  readonly heartbeat_ms: number;
  readonly max_in_flight: number;
  readonly acks: readonly (ConfirmMessage | ErrorMessage)[];
}

export interface ProgressMessage extends Key {
  readonly type: "progress";
  readonly step: number;
  readonly data: unknown;
}

export interface WithdrawMessage extends Key {
  readonly type: "withdraw";
  readonly reason: WithdrawReason;
}

export interface NoticeMessage {
  readonly type: "notice";
  readonly id: string;
  readonly payload: unknown;
  readonly at: number;
}

export type ServerMessage =
  | WelcomeMessage
  | OfferMessage
  | ConfirmMessage
  | ErrorMessage
  | ProgressMessage
  | WithdrawMessage
  | NoticeMessage
  | { readonly type: "caught_up" }
  | { readonly type: "window"; readonly window: WindowFields }
  | { readonly type: "pong" }
  | { readonly type: "bye"; readonly code: string; readonly reason: string; readonly reconnect: boolean; readonly after_ms: number };

/** A message to the server. */
export type ClientMessage = Record<string, unknown> & { readonly type: string };

/** The name of the client, in its hello. */
export const CLIENT = "engage-js/0.1.0";

/** Most acks and most open deliveries of a hello, and most messages of a frame. */
export const KEYS_MAX = 256;

/** What a frame or a body holds at most: the server takes 64 KiB, and a beacon as much in all. */
export const FRAME_MAX_BYTES = 60_000;

/** The most bytes of an ack's data. */
export const DATA_MAX_BYTES = 4096;

/** After these nobody connects again as it is. What ends other connections is told by a message before, or by nobody. */
const CLOSE_NAMES: Readonly<Record<number, string>> = { 4400: "bad_message", 4401: "unauthorized", 4403: "forbidden", 4409: "replaced" };

/** What to call the end of a connection. */
export const closeName = (code: number): string => CLOSE_NAMES[code] ?? "lost";

/** One text for a key. No id holds a line break. */
export const keyOf = (key: Key): string => key.window + "\n" + key.id;

/** Completed, dismissed, dropped, expired or withdrawn; not queued, offered, shown or in progress. */
export const isSettled = (state: DeliveryState): boolean => /^[cdew]/.test(state);


/** The messages of a frame: one, or a list of them. */
export const messagesOf = (text: string): ServerMessage[] => [JSON.parse(text) as ServerMessage | ServerMessage[]].flat();

/** How many bytes a text has in UTF-8. Not every platform has a TextEncoder. */
export const sizeOf = (text: string): number => encodeURIComponent(text).replace(/%../g, "_").length;
