// Follows the outcome feed from now on, over a stream, and keeps the newest. Where the stream breaks it goes on behind the last outcome that it saw.

import { Refused } from "./api.js";
import { pauseAfter } from "./poller.js";

/** So many are kept. */
export const ROWS_MAX = 500;

/** Nothing came yet. */
export function empty() {
  return { rows: [], count: 0, isPaused: false, filter: "", trouble: "" };
}

/** With more outcomes, each once: the newest first, and only so many. Pure. */
export function added(tail, outcomes) {
  const known = new Set(tail.rows.map((row) => row.key));
  const rows = outcomes.map((one) => ({ ...one, key: one.cursor.split(".")[0] })).filter((row) => !known.has(row.key) && known.add(row.key));
  return { ...tail, rows: [...rows.reverse(), ...tail.rows].slice(0, ROWS_MAX), count: tail.count + rows.length, trouble: "" };
}

export class Follower {
  #abort = null;
  #api;
  #take;
  #cursor = null;

  /** `take` gets `{outcomes}` or `{trouble}`. */
  constructor(api, take) {
    this.#api = api;
    this.#take = take;
  }

  get isFollowing() {
    return this.#abort !== null;
  }

  /** Begins behind a cursor, or goes on where it was. */
  start(cursor) {
    if (this.#abort) return;
    this.#cursor ??= cursor;
    this.#abort = new AbortController();
    this.#follow(this.#abort.signal);
  }

  /** Stops; the next start goes on from here. */
  stop() {
    this.#abort?.abort();
    this.#abort = null;
  }

  /** Stops; the next start begins anew. */
  reset() {
    this.stop();
    this.#cursor = null;
  }

  async #follow(signal) {
    for (let failures = 0; !signal.aborted;) {
      try {
        for await (const { id, event, data } of this.#api.events("v1/outcomes?limit=500", { after: this.#cursor, signal })) {
          if (event === "error") throw new Refused(410, JSON.parse(data));
          failures = 0;
          this.#cursor = id;
          this.#take({ outcomes: [JSON.parse(data)] });
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused && error.status === 410) return this.#lost();
        this.#take({ trouble: "The feed is interrupted; it goes on by itself." });
      }
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, pauseAfter(failures)));
    }
  }

  /** What lies between is gone: it begins anew when it is started the next time. */
  #lost() {
    this.reset();
    this.#take({ trouble: "Some outcomes were missed: they came faster than they are kept." });
  }
}
