// What the console says of a cluster, and what it tells an operator to do: one case for each thing that can be the matter.

import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../src/http/console/assets/history.js";
import { EMPTY, track } from "../../src/http/console/assets/track.js";
import { verdict } from "../../src/http/console/assets/verdict.js";
import { NOW, cluster, figures, histogram, node, shard } from "./lib/console-samples.mjs";

/**
 * The verdict after looks at a cluster: `before` is how it was, `looks` how it is from then on (both give `[cluster, figures]` for the seconds that have passed), for so many seconds.
 */
function after(seconds, looks, before = () => [cluster(), figures(100)]) {
  const history = new History();
  let memory = EMPTY,
    last;
  const look = (answers, second) => {
    const [view, measured] = answers;
    const now = NOW + second * 1_000;
    if (measured) history.take(measured, now);
    memory = track(memory, { cluster: view, figures: measured }, now);
    last = verdict({ cluster: view, figures: measured, memory, history, now });
  };
  look(before(0), 0);
  for (let second = 1; second <= seconds; second += 1) look(looks(second), second);
  return last;
}

/** The same, of a cluster that stays as it is. */
const still = (seconds, view = {}, changes = {}) => after(seconds, (second) => [cluster(view), figures(100 + second, changes)]);

function only(result) {
  assert.equal(result.troubles.length, 1, JSON.stringify(result.troubles));
  return result.troubles[0];
}

test("a cluster that is well is said to be, with its size", () => {
  const result = still(5);
  assert.deepEqual([result.level, result.troubles], ["ok", []]);
  assert.match(result.sentence, /^All is well: 3 nodes, 3 shards/);
});

test("a node that can't be reached needs somebody, after a moment, and it is said since when and what to do", () => {
  const dead = { nodes: [node(1), node(2), node(3, { state: "unreachable", connections: null })] };
  assert.equal(still(2, dead).level, "ok", "a hiccup is none");
  const result = still(6, dead, { 3: null });
  const trouble = only(result);
  assert.deepEqual([result.level, trouble.what], ["act", "n3 can't be reached"]);
  assert.match(trouble.more, /since \d\d:\d\d:\d\d, at 10\.0\.0\.3:7401/);
  assert.match(trouble.todo, /Start it again.*remove it/);
  assert.equal(result.sentence, "One thing needs you now");
});

test("shards without a leader are named once they have none for longer than an election", () => {
  const shards = [shard(0, { leader: null }), shard(1, { leader: null }), shard(2)];
  assert.equal(still(2, { shards }).level, "ok");
  const trouble = only(still(5, { shards }));
  assert.equal(trouble.what, "Shards 0 and 1 have no leader");
  assert.match(trouble.more, /publishes for them are refused/);
});

test("when no shard has a leader, it is said which nodes must come back, and not once more for each node that isn't ready", () => {
  const away = { state: "unreachable", connections: null };
  const view = { nodes: [node(1, { state: "not_ready" }), node(2, away), node(3, away)], shards: [0, 1, 2].map((number) => shard(number, { leader: null })) };
  const { troubles } = still(8, view, { 2: null, 3: null });
  assert.deepEqual(
    troubles.map(({ what }) => what),
    ["n2 can't be reached", "n3 can't be reached", "No shard has a leader"],
  );
  assert.match(troubles[2].todo, /at least one of n2 and n3 back/);
});

test("what is said of a trouble does not change while it lasts", () => {
  const looks = (second) => [cluster({ nodes: [node(1), node(2), node(3, { state: "unreachable" })] }), figures(100 + second, { 3: null })];
  const said = (seconds) => after(seconds, looks).troubles.map(({ id, what, todo }) => [id, what, todo]);
  assert.deepEqual(said(5), said(50));
});

test("a promise that was broken stands first", () => {
  const view = { nodes: [node(1), node(2), node(3, { state: "unreachable" })] };
  const [first] = still(6, view, { 2: { counts: { redelivered: 2 } }, 3: null }).troubles;
  assert.match(first.what, /promise was broken/);
  assert.match(first.more, /2 times on n2/);
});

test("a node that answers and isn't ready needs somebody", () => {
  const view = { nodes: [node(1), node(2, { state: "not_ready" }), node(3)] };
  assert.equal(only(still(7, view)).what, "n2 answers and can't serve");
});

test("a drain that goes on is no trouble; one that stands still is", () => {
  const draining = (left) => cluster({ nodes: [node(1), node(2, { state: "draining", leaders: left, connections: 0 }), node(3)] });
  assert.equal(after(40, (second) => [draining(60 - second), figures(100 + second)]).level, "ok");
  const trouble = only(after(40, (second) => [draining(2), figures(100 + second)]));
  assert.equal(trouble.what, "The drain of n2 is stuck");
  assert.match(trouble.more, /2 leaders and 0 connections/);
  assert.equal(after(40, (second) => [draining(0), figures(100 + second)]).level, "ok", "done");
});

test("two nodes that answer and don't reach each other are named once", () => {
  const cut = (second) => {
    const measured = figures(100 + second);
    measured.nodes[0].figures.links[1].up = false;
    measured.nodes[2].figures.links[0].up = false;
    return [cluster(), measured];
  };
  assert.equal(after(20, cut).level, "ok");
  assert.equal(only(after(35, cut)).what, "n1 and n3 can't reach each other");
});

test("an owner that does not hear from a majority is named", () => {
  const shards = [{ shard: 1, quorum_age_ms: 4_000, queued: 0, lags: {}, buffered_deliveries: 0, buffered_bytes: 0, ledger_bytes: 0 }];
  assert.equal(only(still(3, {}, { 2: { figures: { shards } } })).what, "n2 no longer hears from a majority");
});

test("a replica that lacks much for a minute is worth a look, one that is being filled is not", () => {
  const lagging = {
    1: { figures: { shards: [{ shard: 0, quorum_age_ms: 1, queued: 0, lags: { n3: 5_000 }, buffered_deliveries: 0, buffered_bytes: 0, ledger_bytes: 0 }] } },
  };
  const shards = [shard(0, { lag: 5_000 }), shard(1), shard(2)];
  assert.equal(still(30, { shards }, lagging).level, "ok");
  const result = still(70, { shards }, lagging);
  assert.deepEqual([result.level, only(result).what], ["watch", "n3 is behind"]);
  const nodes = [node(1), node(2), node(3, { state: "joining" })];
  assert.ok(!still(70, { shards, nodes }, lagging).troubles.some(({ what }) => what.includes("behind")));
});

test("a clock that is off by more than a second is told, with its direction", () => {
  assert.equal(still(2, {}, { 2: { clock: 900 } }).level, "ok");
  assert.equal(only(still(2, {}, { 2: { clock: 3_000 } })).what, "The clock of n2 is ahead");
  assert.equal(only(still(2, {}, { 3: { clock: -3_000 } })).what, "The clock of n3 is behind");
});

test("a disk that fills up is worth a look, and when it is full, needs somebody", () => {
  const disk = (free) => ({ 1: { figures: { disk: { free_bytes: free, all_bytes: 1e11 } } } });
  assert.equal(still(2, {}, disk(4e9)).level, "watch");
  assert.equal(still(2, {}, disk(1e9)).level, "act");
  assert.equal(still(2, {}, { 1: { figures: { disk: null } } }).level, "ok", "in memory there is none");
});

test("a slow disk is told from its last minute, when there were enough syncs", () => {
  const slow = (each) => after(30, (second) => [cluster(), figures(100 + second, { 1: { times: { log_sync: histogram({ 11: each * second }) } } })]);
  assert.equal(only(slow(5)).what, "The disk of n1 is slow");
  assert.equal(slow(0.1).level, "ok");
});

test("bounds that are nearly met are told before they are", () => {
  const owned = (change) => ({
    1: { figures: { shards: [{ shard: 0, quorum_age_ms: 1, queued: 0, lags: {}, buffered_deliveries: 0, buffered_bytes: 0, ledger_bytes: 0, ...change }] } },
  });
  assert.equal(still(2, {}, owned({ ledger_bytes: 8.5e8 })).level, "watch");
  assert.match(only(still(2, {}, owned({ ledger_bytes: 9.8e8 }))).what, /buffers on n1 are nearly full/);
  assert.match(only(still(2, {}, owned({ queued: 16_000 }))).what, /n1 does not keep up/);
  assert.match(only(still(2, {}, { 1: { figures: { connections: { websocket: 900 } } } })).what, /few places left/);
  assert.match(only(still(2, {}, { 1: { figures: { open_files: 9_000 } } })).what, /runs out of files/);
});

test("fewer nodes than a shard wants replicas are worth a look", () => {
  const alone = { nodes: [node(1)], shards: [shard(0, { leader: "n1", voters: ["n1"] })] };
  const one = only(after(3, (second) => [cluster(alone), { ...figures(100 + second), nodes: figures(100 + second).nodes.slice(0, 1) }]));
  assert.deepEqual([one.level, one.what], ["watch", "This node is alone"]);
  assert.match(one.todo, /2 more nodes join/);
});

test("leaders that change again and again are told", () => {
  const looks = (second) => [cluster({ shards: [shard(0, { term: 4 + Math.floor(second / 5) }), shard(1), shard(2)] }), figures(100 + second)];
  assert.match(only(after(40, looks)).more, /at shard 0/);
});

test("what is refused is told by its bound when there is much of it, and strangers at the cluster port at once", () => {
  const growing = (field, each) =>
    after(10, (second) => [cluster(), figures(100 + second, { 1: { counts: { [field]: { messages_per_second: each * second } } } })]);
  assert.equal(growing("limited", 0.5).level, "ok");
  assert.match(only(growing("limited", 5)).what, /messages per second/);
  assert.match(only(growing("refused", 5)).more, /credentials refused/);
  assert.match(only(growing("refused_peers", 0.2)).what, /stranger knocks/);
  const leases = after(10, (second) => [cluster(), figures(100 + second, { 2: { counts: { leases_run_out: second } } })]);
  assert.match(only(leases).what, /lost what they held/);
});

test("nodes of two versions, a group that failed, and a node that says nothing of itself are told", () => {
  assert.match(only(still(2, {}, { 3: { figures: { version: "1.1.0" } } })).more, /1\.0\.0 and 1\.1\.0/);
  assert.match(only(still(2, {}, { 3: { figures: { failed_shards: [2] } } })).what, /n3 has failed for good/);
  assert.equal(only(still(8, {}, { 3: null })).what, "n3 gives no figures");
  assert.equal(still(3, {}, { 3: null }).level, "ok");
});

test("without any figures it still judges what it knows", () => {
  const result = after(6, () => [cluster({ nodes: [node(1), node(2), node(3, { state: "unreachable" })] }), null]);
  assert.equal(only(result).what, "n3 can't be reached");
});
