// What can be the matter with the cluster: its promises, its nodes, its shards, the links. Each rule looks at all that is known and gives the troubles that it finds.

import * as words from "./format.js";
import { BEHIND_ENTRIES } from "./track.js";
import { act, measured, watch } from "./trouble.js";

/** A shard is between two leaders for less than that. */
const LEADERLESS_MS = 2_000;
/** A node that is silent for less is busy. */
const SILENT_MS = 2_500;
/** Without figures for so long, a node is odd. */
const MUTE_MS = 5_000;
const NOT_READY_MS = 5_000;
const LINK_DOWN_MS = 30_000;
const BEHIND_MS = 60_000;
/** A drain that moves nothing for so long is stuck. */
const STUCK_MS = 30_000;
const QUORUM_AGE_MS = 3_000;
/** More changes of term within ten minutes are no chance. */
const TERMS_MAX = 3;
const TERMS_MS = 600_000;

/** All of them. */
export const CLUSTER_RULES = [promises, unreachable, leaderless, failed, notReady, stuck, cut, quorums, behind, fewNodes, elections, versions, silent];

function promises(look) {
  const breakers = measured(look).filter(({ figures }) => figures.counts.redelivered > 0);
  if (breakers.length === 0) return [];
  const times = breakers.reduce((sum, { figures }) => sum + figures.counts.redelivered, 0);
  const who = words.list(breakers.map(({ name }) => name));
  return act(
    "redelivered",
    "A promise was broken: something confirmed was offered again",
    `${words.plural(times, "time")} on ${who}, since its process began.`,
    "Keep the logs and the data directories of all nodes, and open an issue with them.",
  );
}

function unreachable({ cluster, memory, now }) {
  return cluster.nodes
    .filter((node) => node.state === "unreachable")
    .flatMap((node) => {
      const since = memory.nodes[node.name]?.since ?? now;
      if (now - since < SILENT_MS) return [];
      return act(
        `unreachable ${node.name}`,
        `${node.name} can't be reached`,
        `No word of it since ${words.time(since)}, at ${node.cluster}.`,
        "Start it again: it catches up by itself. If its disk is lost, remove it and let a new node join.",
      );
    });
}

function leaderless({ cluster, memory, now }) {
  const lost = cluster.shards.filter((shard) => now - (memory.shards[shard.shard]?.leaderlessSince ?? now) >= LEADERLESS_MS);
  if (lost.length === 0) return [];
  const numbers = words.list(
    lost.map((shard) => String(shard.shard)),
    12,
  );
  const holders = new Set(lost.flatMap((shard) => shard.voters));
  const away = cluster.nodes.filter((node) => holders.has(node.name) && node.state === "unreachable").map((node) => node.name);
  const todo =
    away.length > 0
      ? `Bring ${away.length > 1 ? "at least one of " : ""}${words.list(away)} back: more than half of a shard's replicas must answer.`
      : "Look at the links between the nodes, and at their logs.";
  const one = lost.length === 1;
  const what = lost.length === cluster.shards.length ? "No shard has a leader" : `${one ? "Shard" : "Shards"} ${numbers} ${one ? "has" : "have"} no leader`;
  const more = `${one ? "Its" : "Their"} users are offered nothing new, and publishes for them are refused.`;
  return act("leaderless", what, more, todo).map((trouble) => ({ ...trouble, say: "Shards have no leader" }));
}

function failed(look) {
  return measured(look)
    .filter(({ figures }) => figures.failed_shards.length > 0)
    .flatMap(({ name, figures }) =>
      act(
        `failed ${name}`,
        `${name} has failed for good`,
        `Its part of shard ${words.list(figures.failed_shards.map(String), 12)} has stopped, and its process is ending.`,
        "Read the end of its log: a disk that is full or can't be written is the usual cause. Then start it again.",
      ),
    );
}

/** Where shards have no leader, no node is ready, and that is told already. */
function notReady({ cluster, memory, now }) {
  if (cluster.shards.some((shard) => shard.leader === null)) return [];
  return cluster.nodes
    .filter((node) => node.state === "not_ready" && now - (memory.nodes[node.name]?.since ?? now) >= NOT_READY_MS)
    .flatMap((node) =>
      act(
        `not ready ${node.name}`,
        `${node.name} answers and can't serve`,
        `Since ${words.time(memory.nodes[node.name].since)}.`,
        `Its /readyz says why, at ${node.http}. A restart heals nothing here.`,
      ),
    );
}

function stuck({ cluster, memory, now }) {
  return cluster.nodes
    .filter((node) => node.state === "draining")
    .flatMap((node) => {
      const { movedAt = now, left = { leaders: 0, connections: 0 } } = memory.nodes[node.name] ?? {};
      if (left.leaders + left.connections === 0 || now - movedAt < STUCK_MS) return [];
      return act(
        `stuck ${node.name}`,
        `The drain of ${node.name} is stuck`,
        `It still has ${words.plural(left.leaders, "leader")} and ${words.plural(left.connections, "connection")}, unchanged since ${words.time(movedAt)}.`,
        "See that the other nodes are ready and no replica is behind: leaders move only to one that has caught up. To call it off, restart the node.",
      );
    });
}

/** Links that are down, though both ends answer. */
function cut({ memory, now }) {
  const pairs = new Map();
  for (const [from, others] of Object.entries(memory.links)) {
    for (const [to, since] of Object.entries(others)) if (now - since >= LINK_DOWN_MS) pairs.set([from, to].sort().join(" and "), since);
  }
  return [...pairs].flatMap(([pair, since]) =>
    act(
      `cut ${pair}`,
      `${pair} can't reach each other`,
      `Since ${words.time(since)}, while both answer this node.`,
      "Look at the network between them: routes, firewalls, the cluster port.",
    ),
  );
}

function quorums(look) {
  const old = measured(look).flatMap(({ name, figures }) =>
    figures.shards.filter((shard) => shard.quorum_age_ms > QUORUM_AGE_MS).map((shard) => ({ name, shard })),
  );
  if (old.length === 0) return [];
  const owners = words.list([...new Set(old.map(({ name }) => name))]);
  const longest = Math.max(...old.map(({ shard }) => shard.quorum_age_ms));
  return act(
    `quorum ${owners}`,
    `${owners} no longer ${owners.includes(" ") ? "hear" : "hears"} from a majority`,
    `For ${words.span(longest)} at ${words.plural(old.length, "shard")}: at the end of its lease it may not speak for its users any more.`,
    "Look at the other nodes, and at the links between them.",
  );
}

function behind({ memory, nodes, figures, now }) {
  const lags = new Map();
  for (const shard of (figures?.nodes ?? []).flatMap((node) => node.figures?.shards ?? [])) {
    if (now - (memory.shards[shard.shard]?.behindSince ?? now) < BEHIND_MS) continue;
    for (const [name, lag] of Object.entries(shard.lags)) if (lag >= BEHIND_ENTRIES) lags.set(name, Math.max(lag, lags.get(name) ?? 0));
  }
  // Who is away or still being filled is behind for a reason that is told elsewhere.
  return [...lags]
    .filter(([name]) => nodes.get(name)?.state === "ready")
    .flatMap(([name, lag]) =>
      watch(
        `behind ${name}`,
        `${name} is behind`,
        `For more than a minute it lacks up to ${words.plural(lag, "entry", "entries")} of a shard: it is of no use when that shard's leader dies.`,
        "Look at its disk, its processor and its links.",
      ),
    );
}

function fewNodes(look) {
  const wanted = measured(look)[0]?.figures.bounds.replication;
  const holding = look.cluster.nodes.filter((node) => !["leaving", "joining"].includes(node.state)).length;
  if (!wanted || holding >= wanted) return [];
  const todo = `Let ${words.plural(wanted - holding, "more node", "more nodes")} join: engage join, see the operations guide.`;
  const what = holding === 1 ? "This node is alone" : `${holding} nodes are fewer than the ${wanted} that each shard wants`;
  return watch(
    "few nodes",
    what,
    holding === 1 ? `Each shard wants ${wanted} replicas. While this one is down, nobody is served.` : "When one more dies, shards have no majority.",
    todo,
  );
}

function elections({ memory, now }) {
  const restless = Object.entries(memory.shards).filter(([, shard]) => shard.terms.filter((at) => now - at < TERMS_MS).length > TERMS_MAX);
  if (restless.length === 0) return [];
  return watch(
    "elections",
    "Leaders change again and again",
    `More than ${TERMS_MAX} times in ten minutes, at ${restless.length > 6 ? words.plural(restless.length, "shard") : `shard ${words.list(restless.map(([number]) => number))}`}.`,
    "Look for a slow disk, a lossy link, or a processor that is starved.",
  );
}

function versions(look) {
  const known = [...new Set(measured(look).map(({ figures }) => figures.version))].sort();
  if (known.length < 2) return [];
  return watch(
    "versions",
    "The nodes run different versions",
    `${words.list(known)}.`,
    "Finish the upgrade: two neighbouring versions work side by side for hours, not for weeks.",
  );
}

/** Nodes that the others reach and that give no figures: of an earlier version, or too busy. */
function silent({ cluster, memory, now }) {
  const isOdd = (node) => node.state === "ready" && now - (memory.silent[node.name] ?? now) >= MUTE_MS;
  return cluster.nodes
    .filter(isOdd)
    .flatMap((node) =>
      watch(
        `silent ${node.name}`,
        `${node.name} gives no figures`,
        "It is reached, and does not answer within 700 ms.",
        "It is very busy, paused, or of an earlier version. What is shown leaves it out.",
      ),
    );
}
