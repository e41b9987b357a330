// Does something again and again: each second while all goes well, with longer and longer pauses while it fails, and not at all while nobody looks. Knows nothing of what it does.

export const EVERY_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/** The pause after so many failures in a row: a second, two, four, up to fifteen. */
export function pauseAfter(failures) {
  return Math.min(LONGEST_PAUSE_MS, EVERY_MS * 2 ** Math.max(0, failures - 1));
}

export class Poller {
  /** Failures in a row, and when it is tried next (by `now`). */
  failures = 0;
  nextAt = null;
  #work;
  #timers;
  #timer = null;
  #running = false;
  #wanted = false;

  /** `work` is async; it fails by throwing. `timers`: `{set, clear, now}`. */
  constructor(work, timers) {
    this.#work = work;
    this.#timers = timers;
  }

  /** Begins, or goes on, at once. */
  start() {
    this.#wanted = true;
    this.again();
  }

  /** Pauses; what is under way ends. */
  stop() {
    this.#wanted = false;
    this.#timers.clear(this.#timer);
  }

  /** Does it now, and goes on from there. */
  async again() {
    this.#timers.clear(this.#timer);
    if (this.#running || !this.#wanted) return;
    this.#running = true;
    const began = this.#timers.now();
    try {
      await this.#work();
      this.failures = 0;
    } catch {
      this.failures += 1;
    }
    this.#running = false;
    if (!this.#wanted) return;
    const now = this.#timers.now();
    const pause = this.failures > 0 ? pauseAfter(this.failures) : Math.max(0, EVERY_MS - (now - began));
    this.nextAt = now + pause;
    this.#timer = this.#timers.set(() => this.again(), pause);
  }
}
