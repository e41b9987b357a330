// Free ports on loopback, from below the range that the system gives to outgoing connections: a node that starts again finds its port free.

import { createServer } from "node:net";

let next = process.pid % 20_000;

/** A port on which nobody listens. */
export async function freePort() {
  for (let tried = 0; tried < 20_000; tried += 1) {
    next = (next + 1) % 20_000;
    const port = 10_000 + next;
    if (await isFree(port)) return port;
  }
  throw new Error("no free port");
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
