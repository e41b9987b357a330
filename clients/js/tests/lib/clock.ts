/**
 * Time that passes when a test says so, and the microtasks that belong to it.
 */
export class Clock {
  private time = 1_700_000_000_000;
  private count = 0;
  private readonly timers = new Map<number, { at: number; run: () => void }>();

  readonly environment = {
    now: (): number => this.time,
    setTimeout: (run: () => void, ms: number): number => {
      this.timers.set(++this.count, { at: this.time + Math.max(0, ms), run });
      return this.count;
    },
    clearTimeout: (timer: never): void => {
      this.timers.delete(timer);
    },
  };

  get now(): number {
    return this.time;
  }

  get pending(): number {
    return this.timers.size;
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let round = 0; round < 12; round++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass; each timer runs when it is due. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    for (;;) {
      const next = [...this.timers].sort(([, one], [, other]) => one.at - other.at)[0];
      if (!next || next[1].at > end) break;
      this.timers.delete(next[0]);
      this.time = Math.max(this.time, next[1].at);
      next[1].run();
      await this.settle();
    }
    this.time = end;
  }

  /** The machine sleeps: time passes, and no timer runs before it wakes up. */
  sleep(ms: number): void {
    this.time += ms;
  }
}

/** Waits for a condition, with a bound: what doesn't come within so much fake time doesn't come. */
export async function until(clock: Clock, what: () => unknown, ms = 60_000): Promise<void> {
  for (let passed = 0; passed <= ms; passed += 50) {
    await clock.settle();
    if (what()) return;
    await clock.pass(50);
  }
  throw new Error(`not within ${ms} ms: ${what}`);
}

/** Numbers that look random, the same for the same seed. */
export function dice(seed: number): () => number {
  let state = seed + 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
