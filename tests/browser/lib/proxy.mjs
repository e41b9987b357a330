// A proxy before a node, as some offices have one: it knows HTTP and lets no WebSocket through. It can also be unplugged.

import { createServer, request } from "node:http";

/** Starts one before a node. */
export async function startProxy(node) {
  const proxy = new Proxy(node);
  await proxy.listen();
  return proxy;
}

class Proxy {
  /** How many WebSockets it refused. */
  refused = 0;
  #server;
  #port = 0;

  constructor(node) {
    const { hostname, port } = new URL(node.url);
    this.#server = createServer((incoming, outgoing) => {
      const { method, url: path, headers } = incoming;
      const forwarded = request({ hostname, port, method, path, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on("error", () => outgoing.destroy());
      outgoing.on("close", () => forwarded.destroy());
      incoming.pipe(forwarded);
    });
    this.#server.on("upgrade", (_, socket) => {
      this.refused += 1;
      socket.on("error", () => {});
      socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen() {
    await new Promise((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = this.#server.address().port;
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
