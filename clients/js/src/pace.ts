/**
 * How fast messages may leave: under what a node takes from one connection (50 a second, 256 at once), so that it never refuses one for that.
 */
const BURST = 200;
const PER_MS = 0.04;

/** How long to wait before looking again, when there was no room. */
export const PACE_MS = 250;

export class Pace {
  private level = BURST;

  constructor(private filledAt: number) {}

  /** How many may leave now. */
  room(now: number): number {
    this.level = Math.min(BURST, this.level + Math.max(0, now - this.filledAt) * PER_MS);
    this.filledAt = now;
    return Math.floor(this.level);
  }

  take(count: number): void {
    this.level -= count;
  }
}
