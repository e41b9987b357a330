// One process of the binary under test, with its working directory and its log. Nothing of it outlives the test process, however that one ends.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** The `engage` binary: `ENGAGE_BIN`, else a build of this tree (release before debug, in cargo's target directory). */
export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "target");
  const places = process.env.ENGAGE_BIN
    ? [resolve(ROOT, process.env.ENGAGE_BIN)]
    : [join(target, "release/engage"), join(target, "debug/engage")];
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`no engage binary at ${places.join(" or ")}; hint: cargo build --bin engage, or set ENGAGE_BIN`);
  return found;
}

/** A new empty directory for a process. */
export function home() {
  return mkdtempSync(join(tmpdir(), "engage-browser-"));
}

/** A run of the binary. `environment` is all of its environment. */
export class Process {
  #child;
  #watcher;
  #home;

  constructor({ args, environment, home: directory }) {
    this.#home = directory;
    const log = openSync(join(directory, "log"), "a");
    this.#child = spawn(binary(), args, { cwd: directory, env: environment, stdio: ["ignore", log, log] });
    closeSync(log);
    this.#watcher = watch(this.#child.pid, directory);
    this.ended = new Promise((resolve) => this.#child.once("exit", (code, signal) => resolve({ code, signal })));
  }

  get pid() {
    return this.#child.pid;
  }

  /** Whether it still runs. */
  get isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it at once, as a crash does. */
  async kill() {
    if (this.isRunning) this.#child.kill("SIGKILL");
    await this.over();
  }

  /** Waits until it has ended; with which code. */
  async over() {
    const end = await this.ended;
    this.#watcher.kill("SIGKILL");
    return end.code;
  }

  /** All that the runs in this directory have written. */
  log() {
    return readFileSync(join(this.#home, "log"), "utf8");
  }
}

/** Takes a directory away. */
export function clear(directory) {
  rmSync(directory, { recursive: true, force: true });
}

/** A shell that waits for the end of the test process (then its stdin closes), and ends the node and its data after it. */
function watch(pid, directory) {
  const script = 'cat >/dev/null; kill -9 "$1"; rm -rf -- "$2"';
  const watcher = spawn("sh", ["-c", script, "sh", String(pid), directory], { stdio: ["pipe", "ignore", "ignore"] });
  watcher.unref();
  watcher.stdin.unref();
  return watcher;
}
