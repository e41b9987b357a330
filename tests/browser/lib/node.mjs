// A real node on free loopback ports. It can be killed, paused, stopped, and started again on the same data.

import { join } from "node:path";
import { Api } from "./api.mjs";
import { freePort } from "./ports.mjs";
import { Process, clear, home } from "./process.mjs";
import { ADMIN_KEY, PUBLISH_KEY, READ_KEY, SECRET } from "./tokens.mjs";
import { until } from "./wait.mjs";

const DEFAULTS = {
  "auth.jwt_secret": SECRET,
  "auth.api_keys": `publisher:${PUBLISH_KEY}:publish,reader:${READ_KEY}:read,admin:${ADMIN_KEY}:admin`,
  "cluster.shards": "4",
  "cluster.lease": "3s",
  "limits.drain_spread": "300ms",
};

const LOG_LINES = 40;

export class Node {
  #home = home();
  #settings;
  #process = null;

  /** A node that was never started. `settings`: keys of the configuration, as `section.key`. */
  constructor({ port, clusterPort, settings }) {
    this.clusterAddress = `127.0.0.1:${clusterPort}`;
    this.url = `http://127.0.0.1:${port}`;
    this.address = `127.0.0.1:${port}`;
    this.#settings = {
      ...DEFAULTS,
      "node.data_dir": join(this.#home, "data"),
      "http.listen": this.address,
      "cluster.listen": this.clusterAddress,
      ...settings,
    };
    this.name = this.#settings["node.name"] ?? "n1";
    this.api = new Api(this.url);
  }

  get pid() {
    return this.#process?.pid;
  }

  get isRunning() {
    return this.#process?.isRunning ?? false;
  }

  /** Starts it, also again on its data, and waits until it is ready. */
  async start(args = ["serve"]) {
    this.launch(args);
    await this.ready();
  }

  /** Starts it without waiting. */
  launch(args = ["serve"]) {
    this.#process = new Process({ args, environment: environment(this.#settings), home: this.#home });
  }

  /** Waits until it says that it is ready. */
  async ready() {
    await until(
      () => `${this.name} is ready; its log ends:\n${this.logTail()}`,
      async () => {
        if (!this.isRunning) throw new Error(`${this.name} ended by itself; its log ends:\n${this.logTail()}`);
        return fetch(`${this.url}/readyz`).then((answer) => answer.ok, () => false);
      },
    );
  }

  /** Ends it at once, as a crash does. */
  async kill() {
    await this.#process.kill();
  }

  /** Stops it in its tracks. */
  pause() {
    this.#process.signal("SIGSTOP");
  }

  /** Lets it go on. */
  resume() {
    this.#process.signal("SIGCONT");
  }

  /** Stops it in good order; with which code it ended. */
  async stop() {
    this.#process.signal("SIGTERM");
    return this.#process.over();
  }

  /** Ends it, and takes its data away. */
  async remove() {
    await this.#process?.kill();
    clear(this.#home);
  }

  /** The last lines of what it wrote. */
  logTail(lines = LOG_LINES) {
    return (this.#process?.log() ?? "").trimEnd().split("\n").slice(-lines).join("\n");
  }
}

/** Starts a node of its own cluster, and waits until it is ready. `settings`: `{"section.key": "value"}`; `origins`: web origins that may connect. */
export async function startNode({ settings = {}, origins = [] } = {}) {
  const node = await newNode({ settings, origins });
  await node.start();
  return node;
}

/** A node that is not started. */
export async function newNode({ settings = {}, origins = [] } = {}) {
  const allowed = origins.length > 0 ? { "http.allowed_origins": origins.join(",") } : {};
  return new Node({ port: await freePort(), clusterPort: await freePort(), settings: { ...allowed, ...settings } });
}

function environment(settings) {
  const own = Object.entries(settings).map(([key, value]) => [`ENGAGE_${key.replace(".", "__").toUpperCase()}`, String(value)]);
  return { RUST_BACKTRACE: "1", ...Object.fromEntries(own) };
}
