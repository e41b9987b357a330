/**
 * The client's ends of the fake server's connections: a WebSocket class, and a `fetch` for the stream and its posts. What is sent arrives in the next microtasks, in order.
 */
import type { SocketLike } from "../types.ts";
import type { ServerMessage } from "../wire.ts";
import type { Peer } from "./node.ts";

const soon = (act: () => void): void => void Promise.resolve().then(act);

interface SocketServer {
  /** False: it was ended already. */
  open(peer: Peer): boolean;
  frame(peer: Peer, text: string): void;
  /** The client sent a Close. */
  closed(peer: Peer): void;
}

const frameOf = (messages: readonly ServerMessage[]): string => JSON.stringify(messages.length === 1 ? messages[0] : messages);

export function socketClass(server: SocketServer): new (url: string, protocols: string[]) => SocketLike {
  return class FakeSocket implements SocketLike {
    onopen: SocketLike["onopen"] = null;
    onmessage: SocketLike["onmessage"] = null;
    onclose: SocketLike["onclose"] = null;
    onerror: SocketLike["onerror"] = null;
    private isOpen = false;
    private isOver = false;
    private readonly peer: Peer = {
      deliver: (messages) => soon(() => this.isOpen && this.onmessage?.({ data: frameOf(messages) })),
      end: (code = 1006, reason = "") => soon(() => this.end(code, reason)),
    };

    constructor() {
      soon(() => {
        if (this.isOver || !server.open(this.peer)) return;
        this.isOpen = true;
        this.onopen?.({});
      });
    }

    send(text: string): void {
      soon(() => this.isOpen && server.frame(this.peer, text));
    }

    close(code = 1005): void {
      soon(() => {
        if (this.isOpen) server.closed(this.peer);
        this.end(code, "");
      });
    }

    private end(code: number, reason: string): void {
      if (this.isOver) return;
      this.isOver = true;
      this.isOpen = false;
      this.onclose?.({ code, reason });
    }
  };
}

interface StreamServer {
  /** False: the server is not there. */
  hello(peer: Peer, hello: string): boolean;
  /** None: the server is not there, or the token is not valid. */
  post(body: string): ServerMessage[] | undefined;
  closed(peer: Peer): void;
}

export function streamFetch(server: StreamServer): typeof fetch {
  return async (input, { body, signal } = {}) => {
    await Promise.resolve();
    if (String(input).endsWith("/v1/messages")) {
      const answers = server.post(String(body));
      if (!answers) throw new TypeError("fetch failed");
      return new Response(JSON.stringify(answers));
    }
    const encoder = new TextEncoder();
    let peer: Peer | undefined;
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        let isOver = false;
        const once = (act: () => void): void => {
          if (!isOver) act();
          isOver = true;
        };
        peer = {
          deliver: (messages) => isOver || controller.enqueue(encoder.encode(`data: ${frameOf(messages)}\n\n`)),
          end: () => once(() => controller.close()),
        };
        signal?.addEventListener("abort", () => {
          once(() => controller.error(new Error("aborted")));
          if (peer) server.closed(peer);
        });
      },
    });
    if (!peer || !server.hello(peer, String(body))) throw new TypeError("fetch failed");
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  };
}
