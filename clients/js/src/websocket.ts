/**
 * Messages over a WebSocket.
 */
import type { Found } from "./environment.ts";
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
  messages(messages: readonly ServerMessage[]): void;
  /** It ended by itself. */
  closed(code: string, reason: string): void;
}

/** The node's address for a transport. */
export const addressOf = (url: string, scheme: "http" | "ws", path: string): string => url.replace(/^(http|ws)/, scheme).replace(/\/+$/, "") + path;

export function openSocket(environment: Found, url: string, events: WireEvents): Wire {
  const { WebSocket } = environment;
  if (!WebSocket) throw new Error("there is no WebSocket here");
  const socket = new WebSocket(addressOf(url, "ws", "/v1/connect"), ["engage.v1.json"]);
  socket.onopen = () => events.opened();
  socket.onmessage = ({ data }) => {
    // A frame that is no JSON comes from no engage node.
    let messages: ServerMessage[];
    try {
      messages = messagesOf(String(data));
    } catch {
      socket.close();
      return;
    }
    events.messages(messages);
  };
  socket.onclose = ({ code, reason }) => events.closed(closeName(code), reason || "the connection was lost");
  // A close event follows.
  socket.onerror = () => {};
  return {
    send: (messages) => socket.send(JSON.stringify(messages.length === 1 ? messages[0] : messages)),
    close() {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}
