// A history as docs/history.md describes it: what this process saw, in the order in which it saw it.

import { writeFileSync } from "node:fs";

export class History {
  #start = performance.now();
  #entries;
  #sessions = 0;

  /** `run`: what all processes of the run agree on. */
  constructor(run) {
    this.#entries = [{ t: 0, e: "run", ...run, wall_ms: Date.now(), clock_error_us: 500 }];
  }

  nextSession() {
    return ++this.#sessions;
  }

  note(e, fields) {
    this.#entries.push({ t: Math.round((performance.now() - this.#start) * 1000), e, ...fields });
  }

  write(path) {
    writeFileSync(path, this.#entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  }
}
