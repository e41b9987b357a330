/**
 * Messages over a WebSocket.
 */
import type { Found } from "./environment.ts";
import type { Environment } from "./types.ts";
import { type ClientMessage, closeName, messagesOf, type ServerMessage } from "./wire.ts";

/** What carries messages, one connection long. After `close` it tells of nothing more. */
export interface Wire {
  send(messages: readonly ClientMessage[]): void;
  close(): void;
}

export interface WireEvents {
  opened(): void;
  /** A sign of life that is no message. */
  heard(): void;
  came(messages: readonly ServerMessage[]): void;
  /** It ended by itself. */
  closed(code: string, reason: string): void;
}

/** A node's address, for a path over HTTP or a WebSocket. */
export const addressOf = (url: string, scheme: "http" | "ws", path: string): string => url.replace(/^(http|ws)/, scheme).replace(/\/+$/, "") + "/v1/" + path;

export function openSocket({ WebSocket }: Found, url: string, events: WireEvents): Wire {
  const socket = new (WebSocket as Environment["WebSocket"])(addressOf(url, "ws", "connect"), ["engage.v1.json"]);
  socket.onopen = events.opened;
  socket.onmessage = ({ data }) => {
    try {
      events.came(messagesOf(data as string));
    } catch {
      // No engage node says such a thing.
      socket.close();
    }
  };
  socket.onclose = ({ code, reason }) => events.closed(closeName(code), reason || "lost");
  // A close event follows; for some implementations an error that nobody listens to is an uncaught one.
  socket.onerror = () => {};
  return {
    send: (messages) => socket.send(JSON.stringify(messages.length > 1 ? messages : messages[0])),
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}
