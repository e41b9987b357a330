// Histograms as the nodes give them: a count for each bucket, and one for what lies beyond all bounds. Pure.

/** What came between two looks at one histogram. An earlier look that is empty counted nothing yet. */
export function difference(now, before) {
  return now.map((count, index) => Math.max(0, count - (before[index] ?? 0)));
}

/** Two together; either may be empty. */
export function sum(one, other) {
  const [longer, shorter] = one.length >= other.length ? [one, other] : [other, one];
  return longer.map((count, index) => count + (shorter[index] ?? 0));
}

/** How many it counts. */
export function total(counts) {
  return counts.reduce((all, count) => all + count, 0);
}

/**
 * The value that the part `q` of all stays below, in the unit of the bounds: within a bucket it goes straight from bound to bound; beyond the last it is the last. `null` when
 * nothing was counted.
 */
export function quantile(counts, bounds, q) {
  const all = total(counts);
  if (all === 0) return null;
  const wanted = q * all;
  let before = 0;
  for (let index = 0; index < bounds.length; index += 1) {
    const inside = counts[index];
    if (inside > 0 && before + inside >= wanted) {
      const from = index === 0 ? 0 : bounds[index - 1];
      return from + (bounds[index] - from) * Math.max(0, (wanted - before) / inside);
    }
    before += inside;
  }
  return bounds.at(-1);
}
