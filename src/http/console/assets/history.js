// The last ten minutes of the cluster's figures, as points for the charts, and what they say of the last seconds. Bounded: points and samples fall off at the old end.
// Counts are compared within one process only (`up_ms` tells), so that a node that began anew makes no spike.

import { difference, quantile, sum, total } from "./histogram.js";

/** So many points are kept: ten minutes of one a second. */
export const POINTS_MAX = 600;
/** A longer silence between two looks is a gap in the charts. */
const GAP_MS = 4_000;
/** What rates, quantiles and growth look back on. */
const RATE_MS = 3_000;
const QUANTILE_MS = 10_000;
const GROWTH_MS = 60_000;

const TIMES = ["publish", "confirm", "commit", "log_sync"];
const all = (counts) => Object.values(counts).reduce((one, other) => one + other, 0);

export class History {
  /** Oldest first; a point of a gap has only `at`. */
  points = [];
  /** Of each node by its name, its latest samples, oldest first. */
  #samples = new Map();
  #bounds = [];

  /** Takes an answer of `/v1/cluster/figures`, as of `now` (ms since the epoch, by this page). */
  take(answer, now) {
    this.#bounds = answer.bounds_seconds;
    const names = new Set();
    for (const { name, figures } of answer.nodes) {
      names.add(name);
      if (figures) this.#keep(name, { ...figures, taken: now });
      else this.#samples.delete(name);
    }
    for (const name of this.#samples.keys()) if (!names.has(name)) this.#samples.delete(name);
    const last = this.points.at(-1);
    if (last && now - last.at > GAP_MS) this.points.push({ at: last.at + 1 });
    this.points.push(this.#point(now));
    this.points.splice(0, Math.max(0, this.points.length - POINTS_MAX));
  }

  /** How fast things go on one node now: `{publishes, offers, acks, sync99}`; `null` for what isn't known yet. */
  ofNode(name) {
    const pair = this.#pair(name, RATE_MS);
    return {
      publishes: rate(pair, (figures) => all(figures.counts.publishes)),
      offers: rate(pair, (figures) => figures.counts.offers),
      acks: rate(pair, (figures) => figures.counts.acks.confirm ?? 0),
      sync99: this.#quantile([name], "log_sync", 0.99, GROWTH_MS),
    };
  }

  /** What one node's link to another carries: `{trip50, out, in}` in seconds and bytes a second. */
  ofLink(name, other) {
    const linkOf = (figures) => figures.links.find((link) => link.node === other);
    const pair = this.#pair(name, RATE_MS);
    const known = pair?.every(linkOf) ? pair : null;
    const longer = this.#pair(name, GROWTH_MS);
    const trips = longer?.every(linkOf) ? longer.map((figures) => linkOf(figures).round_trip) : null;
    return {
      trip50: trips ? quantile(difference(trips[1], trips[0]), this.#bounds, 0.5) : null,
      out: rate(known, (figures) => linkOf(figures).out_bytes),
      in: rate(known, (figures) => linkOf(figures).in_bytes),
    };
  }

  /** What came within the last minute, on all nodes together, of counts by label: `{limited: {publishes: 4}}`. Only what grew. */
  growth(field) {
    const grown = {};
    for (const name of this.#samples.keys()) {
      const [before, now] = this.#pair(name, GROWTH_MS) ?? [];
      for (const [label, value] of Object.entries(now?.counts[field] ?? {})) {
        const more = value - (before.counts[field][label] ?? 0);
        if (more > 0) grown[label] = (grown[label] ?? 0) + more;
      }
    }
    return grown;
  }

  /** The same of a plain count. */
  growthOf(field) {
    const pairs = [...this.#samples.keys()].map((name) => this.#pair(name, GROWTH_MS)).filter(Boolean);
    return pairs.reduce((sum, [before, now]) => sum + Math.max(0, now.counts[field] - before.counts[field]), 0);
  }

  /** How many syncs of the log of one node the figures of the last minute rest on. */
  syncsOf(name) {
    const pair = this.#pair(name, GROWTH_MS);
    return pair ? total(difference(pair[1].times.log_sync, pair[0].times.log_sync)) : 0;
  }

  #keep(name, sample) {
    const samples = this.#samples.get(name) ?? [];
    // Another process counts from 0.
    if (samples.length > 0 && samples.at(-1).up_ms > sample.up_ms) samples.length = 0;
    if (samples.at(-1)?.up_ms === sample.up_ms) samples.pop();
    samples.push(sample);
    while (sample.up_ms - samples[0].up_ms > GROWTH_MS) samples.shift();
    this.#samples.set(name, samples);
  }

  /** The newest sample of a node, and the one before it that lies so far back, or the oldest. */
  #pair(name, back) {
    const samples = this.#samples.get(name) ?? [];
    const now = samples.at(-1);
    const before = samples.findLast((sample) => now.up_ms - sample.up_ms >= back) ?? samples[0];
    return samples.length > 1 ? [before, now] : null;
  }

  #quantile(names, which, q, back) {
    let counts = [];
    for (const name of names) {
      const pair = this.#pair(name, back);
      if (pair) counts = sum(counts, difference(pair[1].times[which], pair[0].times[which]));
    }
    return quantile(counts, this.#bounds, q);
  }

  #point(now) {
    const names = [...this.#samples.keys()];
    const rates = names.map((name) => this.ofNode(name));
    const together = (field) => {
      const known = rates.map((one) => one[field]).filter((value) => value !== null);
      return known.length > 0 ? known.reduce((one, other) => one + other, 0) : null;
    };
    const latest = names.map((name) => this.#samples.get(name).at(-1));
    const [publish, confirm, commit, sync] = TIMES;
    return {
      at: now,
      publishes: together("publishes"),
      offers: together("offers"),
      acks: together("acks"),
      publish99: this.#quantile(names, publish, 0.99, QUANTILE_MS),
      confirm50: this.#quantile(names, confirm, 0.5, QUANTILE_MS),
      confirm99: this.#quantile(names, confirm, 0.99, QUANTILE_MS),
      commit99: this.#quantile(names, commit, 0.99, QUANTILE_MS),
      sync99: this.#quantile(names, sync, 0.99, QUANTILE_MS),
      connections: latest.reduce((count, figures) => count + all(figures.connections), 0),
    };
  }
}

function rate(pair, counted) {
  if (!pair) return null;
  const [before, now] = pair;
  return Math.max(0, counted(now) - counted(before)) / ((now.up_ms - before.up_ms) / 1_000);
}
