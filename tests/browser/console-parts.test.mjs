// The parts of the console that reckon: words, histograms, rates, tables, charts, the pauses between looks, the outcomes that it keeps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { event } from "../../src/http/console/assets/api.js";
import { place } from "../../src/http/console/assets/app.js";
import { Refused, Unreachable } from "../../src/http/console/assets/api.js";
import { closest, path, roundUp, spanOf, thinned } from "../../src/http/console/assets/chart.js";
import { bytes, count, list, percent, plural, rate, span, took } from "../../src/http/console/assets/format.js";
import { difference, quantile, sum } from "../../src/http/console/assets/histogram.js";
import { History, POINTS_MAX } from "../../src/http/console/assets/history.js";
import { refusal } from "../../src/http/console/assets/login.js";
import { drainProgress } from "../../src/http/console/assets/parts.js";
import { Poller, pauseAfter } from "../../src/http/console/assets/poller.js";
import { sorted } from "../../src/http/console/assets/table.js";
import { ROWS_MAX, added, empty } from "../../src/http/console/assets/tail.js";
import { EMPTY, track } from "../../src/http/console/assets/track.js";
import { filterOf } from "../../src/http/console/assets/view-shards.js";
import { NOW, cluster, figures, histogram, node, shard } from "./lib/console-samples.mjs";

test("numbers and times are short words", () => {
  assert.deepEqual([0, 7, 1_234, 123_456, 4_500_000, null].map(count), ["0", "7", "1,234", "123k", "4.5M", "–"]);
  assert.deepEqual([0, 0.33, 4.26, 12.6, 1_234].map(rate), ["0", "0.33", "4.3", "13", "1,234"]);
  assert.deepEqual([0, 999, 1_500, 5.6e7].map(bytes), ["0 B", "999 B", "1.5 kB", "56 MB"]);
  assert.deepEqual([0.00042, 0.0119, 1.24, null].map(took), ["0.42 ms", "12 ms", "1.2 s", "–"]);
  assert.deepEqual([0, 800, 59_600, 200_000, 3_600_000, 187_200_000].map(span), ["0 s", "1 s", "1 min", "3 min 20 s", "1 h", "2 d 4 h"]);
  assert.deepEqual(
    [list([]), list(["a"]), list(["a", "b"]), list(["a", "b", "c"]), list(["a", "b", "c", "d"], 3)],
    ["", "a", "a and b", "a, b and c", "a, b and 2 more"],
  );
  assert.deepEqual([plural(1, "node"), plural(3, "node"), plural(2, "entry", "entries"), percent(0.123)], ["1 node", "3 nodes", "2 entries", "12 %"]);
});

test("a quantile goes through its bucket, and says nothing of nothing", () => {
  const bounds = [1, 2, 4];
  assert.equal(quantile([0, 10, 0, 0], bounds, 0.5), 1.5);
  assert.equal(quantile([5, 4, 1, 0], bounds, 0.95), 3);
  assert.equal(quantile([0, 0, 0, 3], bounds, 0.5), 4, "beyond the last bound it is the last bound");
  assert.equal(quantile([0, 0, 0, 0], bounds, 0.5), null);
  assert.equal(quantile([], bounds, 0.5), null);
  assert.deepEqual(
    [difference([3, 5], [1, 5]), difference([3, 5], []), sum([1, 2], []), sum([1], [2, 3])],
    [
      [2, 0],
      [3, 5],
      [1, 2],
      [3, 3],
    ],
  );
});

/** A history of so many looks, one a second; `change` gives what the nodes show at each. */
function looked(seconds, change) {
  const history = new History();
  for (let second = 0; second < seconds; second += 1) history.take(figures(100 + second, change(second)), NOW + second * 1_000);
  return history;
}

test("rates and quantiles are those of the last seconds, of all nodes together", () => {
  const busy = (second) => ({
    counts: { offers: 10 * second, publishes: { queued: 4 * second, duplicate: second }, acks: { confirm: 8 * second, unavailable: second } },
    times: { confirm: histogram({ 7: 8 * second }) },
  });
  const history = looked(20, (second) => ({ 1: busy(second), 2: busy(second) }));
  const point = history.points.at(-1);
  assert.deepEqual([point.offers, point.publishes, point.acks], [20, 10, 16]);
  assert.ok(point.confirm50 > 0.005 && point.confirm99 <= 0.01, JSON.stringify(point));
  assert.deepEqual([point.commit99, point.connections], [null, 15]);
  assert.equal(history.ofNode("n3").offers, 0);
  assert.equal(history.ofNode("gone").offers, null);
});

test("a process that begins anew makes no spike, and no rate below nothing", () => {
  const history = new History();
  history.take(figures(500, { 1: { counts: { offers: 1_000 } } }), NOW);
  history.take(figures(501, { 1: { counts: { offers: 1_010 } } }), NOW + 1_000);
  history.take(figures(1, { 1: { counts: { offers: 3 } } }), NOW + 2_000);
  assert.equal(history.points.at(-1).offers, null, "one look at the new process says nothing yet");
  history.take(figures(2, { 1: { counts: { offers: 8 } } }), NOW + 3_000);
  assert.equal(history.points.at(-1).offers, 5);
});

test("a link's round trip and load are read from the node that measures them", () => {
  const history = new History();
  for (let second = 0; second < 5; second += 1) {
    const measured = figures(100 + second);
    Object.assign(measured.nodes[0].figures.links[0], { out_bytes: 2_000 * second, in_bytes: 500 * second, round_trip: histogram({ 4: second }) });
    history.take(measured, NOW + second * 1_000);
  }
  const { trip50, out, in: back } = history.ofLink("n1", "n2");
  assert.deepEqual([out, back], [2_000, 500]);
  assert.ok(trip50 > 0.0005 && trip50 <= 0.001);
  assert.deepEqual(history.ofLink("n1", "nobody"), { trip50: null, out: null, in: null });
});

test("the history is bounded, and a silence is a gap", () => {
  const history = looked(POINTS_MAX + 200, () => ({}));
  assert.equal(history.points.length, POINTS_MAX);
  history.take(figures(5_000), NOW + 5_000_000);
  assert.deepEqual(Object.keys(history.points.at(-2)), ["at"]);
  assert.equal(history.points.length, POINTS_MAX);
});

test("a chart's axis, span, line and table follow the points", () => {
  assert.deepEqual([0, 0.0007, 1, 3, 30, 51, 999].map(roundUp), [1, 0.0008, 1, 4, 40, 60, 1_000]);
  const points = [{ at: 0, a: 0 }, { at: 10_000, a: 5 }, { at: 20_000 }, { at: 30_000, a: 10 }];
  assert.deepEqual([spanOf([], 0), spanOf(points, 61_000), spanOf(points, 700_000)], [60_000, 120_000, 600_000]);
  assert.equal(path(points, "a", { from: 0, to: 60_000, top: 10 }), "M0.0 120.0L100.0 60.0M300.0 0.0h0.1");
  assert.equal(closest(points, 19_000).at, 10_000, "a gap has no values");
  assert.equal(closest([], 1), null);
  const many = Array.from({ length: 100 }, (_, at) => ({ at, a: 1 }));
  assert.deepEqual([thinned(many, 10).length, thinned(many, 10)[0].at], [10, 99]);
});

test("tables sort numbers by size, names as people do, and what isn't known last", () => {
  const rows = [
    { name: "n10", value: 3 },
    { name: "n2", value: null },
    { name: "n1", value: 20 },
  ];
  const names = (sort, descending) => sorted(rows, { sort }, descending).map(({ name }) => name);
  assert.deepEqual(
    names((row) => row.name, false),
    ["n1", "n2", "n10"],
  );
  assert.deepEqual(
    names((row) => row.value, false),
    ["n10", "n1", "n2"],
  );
  assert.deepEqual(
    names((row) => row.value, true),
    ["n1", "n10", "n2"],
  );
});

test("shards are picked by their leader, and those that want a look alone", () => {
  const shards = [shard(0), shard(1, { leader: null }), shard(2, { lag: 4_000 }), shard(3, { learners: ["n4"] })];
  const picked = (filter) => shards.filter(filterOf(filter)).map(({ shard: number }) => number);
  assert.deepEqual(picked({ leader: "", onlyOdd: false }), [0, 1, 2, 3]);
  assert.deepEqual(picked({ leader: "n1", onlyOdd: false }), [0, 3]);
  assert.deepEqual(picked({ leader: "none", onlyOdd: false }), [1]);
  assert.deepEqual(picked({ leader: "", onlyOdd: true }), [1, 2, 3]);
});

test("a drain counts down from what there was before it began", () => {
  const looks = [
    ["ready", 6, 10],
    ["draining", 5, 10],
    ["draining", 2, 3],
    ["draining", 0, 0],
  ];
  let memory = EMPTY;
  const seen = looks.map(([state, leaders, connections], second) => {
    memory = track(memory, { cluster: cluster({ nodes: [node(2, { state, leaders, connections })] }), figures: null }, NOW + second * 1_000);
    return drainProgress(memory.nodes.n2);
  });
  assert.deepEqual(
    seen.slice(1).map(({ part }) => part),
    [1 / 16, 11 / 16, 1],
  );
  assert.deepEqual(
    seen.slice(1).map(({ words }) => words),
    ["5 leaders and 10 connections left", "2 leaders and 3 connections left", "leads nothing, holds no connections"],
  );
  assert.deepEqual([seen[2].isDone, seen[3].isDone], [false, true]);
});

test("ten thousand outcomes leave the newest few hundred, each once", () => {
  let tail = empty();
  const outcome = (number) => ({ cursor: `0-${number}.xyz`, user: "ann", id: "a", outcome: "offered", at: number });
  for (let number = 0; number < 10_000; number += 100)
    tail = added(
      tail,
      Array.from({ length: 100 }, (_, index) => outcome(number + index)),
    );
  tail = added(tail, [outcome(9_999), outcome(10_000)]);
  assert.deepEqual([tail.rows.length, tail.count, tail.rows[0].key, tail.rows[1].key], [ROWS_MAX, 10_001, "0-10000", "0-9999"]);
});

test("an event of a stream is read, and a comment is none", () => {
  assert.deepEqual(event('id: 0-1.x\ndata: {"a":1}'), { id: "0-1.x", data: '{"a":1}' });
  assert.deepEqual([event(":").data, event("retry: 1000").data], [undefined, undefined]);
  assert.deepEqual(event("event: error\ndata: {}"), { event: "error", data: "{}" });
});

test("addresses name views, and what they don't name is the overview", () => {
  assert.deepEqual(place(""), { view: "overview", argument: null });
  assert.deepEqual(place("#shards"), { view: "shards", argument: null });
  assert.deepEqual(place("#users/a%2Fb%20c"), { view: "users", argument: "a/b c" });
  assert.deepEqual(place("#users/%ff"), { view: "users", argument: null });
  assert.deepEqual(place("#nonsense"), { view: "overview", argument: null });
});

test("a key that does not get in learns what is missing", () => {
  assert.match(refusal(new Refused(401, { code: "unauthorized" })), /knows this key/);
  assert.match(
    refusal(new Refused(403, { detail: "this needs a key of role admin; this one has role read" })),
    /not enough: this needs a key of role admin; this one has role read/,
  );
  assert.match(refusal(new Unreachable("x")), /doesn't answer/);
});

/** Timers that a test turns by hand. */
function timers() {
  const due = [];
  return { now: () => 0, set: (work, pause) => due.push({ work, pause }), clear: () => {}, due };
}

test("looks come each second, and more and more slowly while they fail, and go on at once when asked", async () => {
  const clock = timers();
  let isDown = false,
    looks = 0;
  const poller = new Poller(async () => {
    looks += 1;
    if (isDown) throw new Error("down");
  }, clock);
  poller.start();
  await new Promise(setImmediate);
  assert.equal(clock.due.at(-1).pause, 1_000);
  isDown = true;
  const pauses = [];
  for (let look = 0; look < 6; look += 1) {
    await poller.again();
    pauses.push(clock.due.at(-1).pause);
  }
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  isDown = false;
  await poller.again();
  assert.equal(clock.due.at(-1).pause, 1_000);
  const before = looks;
  poller.stop();
  await poller.again();
  assert.equal(looks, before, "paused");
  assert.equal(pauseAfter(1), 1_000);
});
