// Waiting: always for a condition, always with a deadline. The only file of the harness that lets time pass.

import { setTimeout as pass } from "node:timers/promises";

/** Within so long everything that a test waits for must have come, on a busy machine. */
export const DEADLINE_MS = 20_000;

const LOOK_EVERY_MS = 20;

/**
 * Looks until `look` gives something truthy, and gives that back; fails with `what` when the deadline has passed.
 * `what` may be a function: it is asked then, and can tell how far things had come.
 */
export async function until(what, look, deadlineMs = DEADLINE_MS) {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() - start > deadlineMs) {
      throw new Error(`waited ${deadlineMs} ms in vain: ${typeof what === "function" ? await what() : what}`);
    }
    await pass(LOOK_EVERY_MS);
  }
}
