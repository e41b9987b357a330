// Whether all is well, and if not, what an operator is to do about it, in words. Pure: everything it knows is handed in, and what it says of a thing stays the same while the
// thing does, so that a screen reader hears it once. What is to be done in each case stands in docs/operations.md at length.

import * as words from "./format.js";
import { BEHIND_ENTRIES } from "./track.js";

/** Shorter than that, a shard between two leaders or a node that is silent is an election or a hiccup. */
const LEADERLESS_MS = 2_000;
const SILENT_MS = 2_500;
const MUTE_MS = 5_000;
const LINK_DOWN_MS = 30_000;
const BEHIND_MS = 60_000;
/** A drain that moves nothing for so long is stuck. */
const STUCK_MS = 30_000;
const QUORUM_AGE_MS = 3_000;
const CLOCK_MS = 1_000;
const SYNC_SECONDS = 0.05;
/** Fewer syncs say nothing about a disk. */
const SYNCS_MIN = 20;
const TERMS_MAX = 3;
const TERMS_MS = 600_000;
/** Parts of a bound. */
const NEAR = 0.8;
const AT = 0.95;
/** So many refusals in a minute are worth a look. */
const REFUSED_MIN = 10;

/**
 * Judges. `cluster`, `figures`: the answers of the two routes (`figures` may be missing); `memory`: of `track.js`; `history`: of `history.js`; `now`: ms since the epoch.
 * Gives `{level: "ok" | "watch" | "act", sentence, troubles: [{id, level, what, more, todo}]}`, the worst first.
 */
export function verdict({ cluster, figures, memory, history, now }) {
  const look = { cluster, figures, memory, history, now, nodes: new Map(cluster.nodes.map((node) => [node.name, node])) };
  const found = [promises, ...rules].flatMap((rule) => rule(look));
  const troubles = [...found.filter(({ level }) => level === "act"), ...found.filter(({ level }) => level === "watch")];
  const level = troubles[0]?.level ?? "ok";
  return { level, sentence: sentence(cluster, troubles), troubles };
}

function sentence(cluster, troubles) {
  const size = `${words.plural(cluster.nodes.length, "node")}, ${words.plural(cluster.shards.length, "shard")}`;
  const acts = troubles.filter(({ level }) => level === "act").length;
  const watches = troubles.length - acts;
  if (acts > 0) return `${acts === 1 ? "One thing needs" : `${acts} things need`} you now`;
  if (watches > 0) return `It serves; ${watches === 1 ? "one thing is" : `${watches} things are`} worth a look`;
  return `All is well: ${size}, each with a leader and no replica behind`;
}

const act = (id, what, more, todo) => [{ id, level: "act", what, more, todo }];
const watch = (id, what, more, todo) => [{ id, level: "watch", what, more, todo }];

/** The figures of every node that answers. */
const measured = ({ figures }) => (figures?.nodes ?? []).filter((node) => node.figures);

function promises(look) {
  const breakers = measured(look).filter(({ figures }) => figures.counts.redelivered > 0);
  if (breakers.length === 0) return [];
  const times = breakers.reduce((sum, { figures }) => sum + figures.counts.redelivered, 0);
  const who = words.list(breakers.map(({ name }) => name));
  return act("redelivered", "A promise was broken: something confirmed was offered again", `${words.plural(times, "time")} on ${who}, since its process began.`,
    "Keep the logs and the data directories of all nodes, and open an issue with them.");
}

const rules = [unreachable, leaderless, failed, notReady, stuck, cut, quorums, behind, clocks, disks, slowDisks, fullLedgers, fullQueues, fullNodes, fewNodes, elections, leases, limited, refused,
  knocks, versions, silent];

function unreachable({ cluster, memory, now }) {
  return cluster.nodes.filter((node) => node.state === "unreachable").flatMap((node) => {
    const since = memory.nodes[node.name]?.since ?? now;
    if (now - since < SILENT_MS) return [];
    return act(`unreachable ${node.name}`, `${node.name} can't be reached`, `No word of it since ${words.time(since)}, at ${node.cluster}.`,
      "Start it again: it catches up by itself. If its disk is lost, remove it and let a new node join.");
  });
}

function leaderless({ cluster, memory, now }) {
  const lost = cluster.shards.filter((shard) => now - (memory.shards[shard.shard]?.leaderlessSince ?? now) >= LEADERLESS_MS);
  if (lost.length === 0) return [];
  const numbers = words.list(lost.map((shard) => String(shard.shard)), 12);
  const holders = new Set(lost.flatMap((shard) => shard.voters));
  const away = cluster.nodes.filter((node) => holders.has(node.name) && node.state === "unreachable").map((node) => node.name);
  const todo = away.length > 0
    ? `Bring ${away.length > 1 ? "at least one of " : ""}${words.list(away)} back: more than half of a shard's replicas must answer.`
    : "Look at the links between the nodes, and at their logs.";
  const one = lost.length === 1;
  const what = lost.length === cluster.shards.length ? "No shard has a leader" : `${one ? "Shard" : "Shards"} ${numbers} ${one ? "has" : "have"} no leader`;
  return act(`leaderless ${numbers}`, what, `${one ? "Its" : "Their"} users are offered nothing new, and publishes for them are refused.`, todo);
}

function failed(look) {
  return measured(look).filter(({ figures }) => figures.failed_shards.length > 0).flatMap(({ name, figures }) =>
    act(`failed ${name}`, `${name} has failed for good`, `Its part of shard ${words.list(figures.failed_shards.map(String), 12)} has stopped, and its process is ending.`,
      "Read the end of its log: a disk that is full or can't be written is the usual cause. Then start it again."));
}

function notReady({ cluster }) {
  return cluster.nodes.filter((node) => node.state === "not_ready").flatMap((node) =>
    act(`not ready ${node.name}`, `${node.name} answers and can't serve`, "It does not know a leader of every shard, or is about to stop.",
      `Its /readyz says why: http://${node.http}/readyz. A restart heals nothing here.`));
}

function stuck({ cluster, memory, now }) {
  return cluster.nodes.filter((node) => node.state === "draining").flatMap((node) => {
    const { movedAt = now, left = { leaders: 0, connections: 0 } } = memory.nodes[node.name] ?? {};
    if (left.leaders + left.connections === 0 || now - movedAt < STUCK_MS) return [];
    return act(`stuck ${node.name}`, `The drain of ${node.name} is stuck`,
      `It still has ${words.plural(left.leaders, "leader")} and ${words.plural(left.connections, "connection")}, unchanged since ${words.time(movedAt)}.`,
      "See that the other nodes are ready and no replica is behind: leaders move only to one that has caught up. To call it off, restart the node.");
  });
}

/** Links that are down, though both ends answer. */
function cut({ memory, now }) {
  const pairs = new Map();
  for (const [from, others] of Object.entries(memory.links)) {
    for (const [to, since] of Object.entries(others)) if (now - since >= LINK_DOWN_MS) pairs.set([from, to].sort().join(" and "), since);
  }
  return [...pairs].flatMap(([pair, since]) => act(`cut ${pair}`, `${pair} can't reach each other`, `Since ${words.time(since)}, while both answer this node.`,
    "Look at the network between them: routes, firewalls, the cluster port."));
}

function quorums(look) {
  const old = measured(look).flatMap(({ name, figures }) => figures.shards.filter((shard) => shard.quorum_age_ms > QUORUM_AGE_MS).map((shard) => ({ name, shard })));
  if (old.length === 0) return [];
  const owners = words.list([...new Set(old.map(({ name }) => name))]);
  const longest = Math.max(...old.map(({ shard }) => shard.quorum_age_ms));
  return act(`quorum ${owners}`, `${owners} no longer ${owners.includes(" ") ? "hear" : "hears"} from a majority`,
    `For ${words.span(longest)} at ${words.plural(old.length, "shard")}: at the end of its lease it may not speak for its users any more.`, "Look at the other nodes, and at the links between them.");
}

function behind({ cluster, memory, nodes, figures, now }) {
  const lags = new Map();
  for (const shard of (figures?.nodes ?? []).flatMap((node) => node.figures?.shards ?? [])) {
    if (now - (memory.shards[shard.shard]?.behindSince ?? now) < BEHIND_MS) continue;
    for (const [name, lag] of Object.entries(shard.lags)) if (lag >= BEHIND_ENTRIES) lags.set(name, Math.max(lag, lags.get(name) ?? 0));
  }
  // Who is away or still being filled is behind for a reason that is told elsewhere.
  return [...lags].filter(([name]) => nodes.get(name)?.state === "ready").flatMap(([name, lag]) =>
    watch(`behind ${name}`, `${name} is behind`, `For more than a minute it lacks up to ${words.plural(lag, "entry", "entries")} of a shard: it is of no use when that shard's leader dies.`,
      "Look at its disk, its processor and its links."));
}

function clocks({ figures }) {
  const away = (figures?.nodes ?? []).filter((node) => Math.abs(node.clock_ahead_ms ?? 0) > CLOCK_MS);
  return away.flatMap((node) => {
    const ahead = node.clock_ahead_ms > 0;
    return act(`clock ${node.name}`, `The clock of ${node.name} is ${ahead ? "ahead" : "behind"}`, `By about ${words.span(Math.abs(node.clock_ahead_ms))}, compared with ${figures.node}'s.${ahead ? " Windows and ttls of the shards that it leads end early by that much." : ""}`,
      "Set it right: keep ntp or chrony running on every node.");
  });
}

function disks(look) {
  return measured(look).filter(({ figures }) => figures.disk !== null).flatMap(({ name, figures }) => {
    const { free_bytes: free, all_bytes: all } = figures.disk;
    const used = 1 - free / all;
    if (all === 0 || (used < AT && free > 1e9)) return [];
    const level = used > 0.98 || free < 2e8 ? act : watch;
    return level(`disk ${name}`, `The disk of ${name} is nearly full`, `${words.bytes(free)} of ${words.bytes(all)} are free. A node that can't write ends itself.`, "Make room, or move its data directory to a larger disk.");
  });
}

function slowDisks(look) {
  return measured(look).flatMap(({ name }) => {
    const { sync99 } = look.history.ofNode(name);
    if (sync99 === null || sync99 <= SYNC_SECONDS || look.history.syncsOf(name) < SYNCS_MIN) return [];
    return watch(`sync ${name}`, `The disk of ${name} is slow`, `In the last minute one sync of the log in a hundred took ${words.took(sync99)} or more: every confirm waits for it.`, "Give it a faster local disk, or longer timeouts.");
  });
}

function fullLedgers(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const bound = figures.bounds.ledger_bytes_per_shard;
    const fullest = Math.max(0, ...figures.shards.map((shard) => shard.ledger_bytes / bound));
    if (!bound || fullest < NEAR) return [];
    const level = fullest < AT ? watch : act;
    return level(`ledger ${name}`, `The buffers on ${name} are nearly full`, `A shard that it leads holds ${words.percent(fullest)} of limits.ledger_bytes_per_shard (${words.bytes(bound)}). When it is full, publishes are answered 507.`,
      "Publish with shorter windows, or raise the bound on all nodes.");
  });
}

function fullQueues(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const fullest = Math.max(0, ...figures.shards.map((shard) => shard.queued / figures.bounds.shard_queue_commands));
    if (fullest < NEAR) return [];
    return act(`queue ${name}`, `${name} does not keep up`, `${words.percent(fullest)} of a shard's queue of commands wait there. When it is full, calls are answered 503.`, "Look at its disk and processor; more nodes take some of its shards over.");
  });
}

function fullNodes(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const { connections, open_files: files } = figures.bounds;
    const open = Object.values(figures.connections).reduce((sum, some) => sum + some, 0);
    const places = connections && open / connections >= NEAR
      ? watch(`places ${name}`, `${name} has few places left`, `It holds ${words.count(open)} of ${words.count(connections)} connections; beyond that, clients are turned away.`, "Let another node join, or raise limits.connections.") : [];
    const handles = files && figures.open_files && figures.open_files / files >= NEAR
      ? act(`files ${name}`, `${name} runs out of files`, `${words.count(figures.open_files)} of ${words.count(files)} are open.`, "Raise the hard limit of open files (ulimit -Hn), and restart it.") : [];
    return [...places, ...handles];
  });
}

function fewNodes(look) {
  const wanted = measured(look)[0]?.figures.bounds.replication;
  const holding = look.cluster.nodes.filter((node) => !["leaving", "joining"].includes(node.state)).length;
  if (!wanted || holding >= wanted) return [];
  const todo = `Let ${words.plural(wanted - holding, "more node", "more nodes")} join: engage join, see the operations guide.`;
  const what = holding === 1 ? "This node is alone" : `${holding} nodes are fewer than the ${wanted} that each shard wants`;
  return watch("few nodes", what, holding === 1 ? `Each shard wants ${wanted} replicas. While this one is down, nobody is served.` : "When one more dies, shards have no majority.", todo);
}

function elections({ memory, now }) {
  const restless = Object.entries(memory.shards).filter(([, shard]) => shard.terms.filter((at) => now - at < TERMS_MS).length > TERMS_MAX);
  if (restless.length === 0) return [];
  return watch("elections", "Leaders change again and again", `More than ${TERMS_MAX} times in ten minutes, at shard ${words.list(restless.map(([number]) => number), 12)}.`,
    "Look for a slow disk, a lossy link, or a processor that is starved.");
}

function leases({ history }) {
  const many = history.growthOf("leases_run_out");
  if (many === 0) return [];
  return watch("leases", "Clients lost what they held", `${words.plural(many, "connection")} in the last minute: no owner spoke for them in time. It is offered again.`, "Look at the links, and whether every shard has a majority.");
}

function limited({ history }) {
  return refusals(history.growth("limited"), (labels, many) =>
    watch("limited", `Bounds are met: ${labels}`, `${words.plural(many, "request or message", "requests and messages")} refused in the last minute.`, "Find the caller who is unruly; or the cluster is too small for the load."));
}

function refused({ history }) {
  return refusals(history.growth("refused"), (labels, many) =>
    watch("refused", `Callers are turned away: ${labels}`, `${words.plural(many, "credential")} refused in the last minute.`, "Somebody uses an old token or a wrong key. Who calls stands in your proxy's log."));
}

function knocks({ history }) {
  return refusals(history.growth("refused_peers"), (labels, many) =>
    watch("knocks", `A stranger knocks at the cluster port: ${labels}`, `${words.plural(many, "time")} in the last minute.`, "The log says from where. A node with another secret or version, or somebody who should not reach that port."), 1);
}

function refusals(grown, tell, least = REFUSED_MIN) {
  const labels = Object.keys(grown).sort();
  const many = labels.reduce((sum, label) => sum + grown[label], 0);
  return many >= least ? tell(words.list(labels.map((label) => label.replaceAll("_", " "))), many) : [];
}

function versions(look) {
  const known = [...new Set(measured(look).map(({ figures }) => figures.version))].sort();
  if (known.length < 2) return [];
  return watch("versions", "The nodes run different versions", `${words.list(known)}.`, "Finish the upgrade: two neighbouring versions work side by side for hours, not for weeks.");
}

/** Nodes that the others reach and that give no figures: of an earlier version, or too busy. */
function silent({ cluster, memory, now }) {
  const isOdd = (node) => node.state === "ready" && now - (memory.silent[node.name] ?? now) >= MUTE_MS;
  return cluster.nodes.filter(isOdd).flatMap((node) => watch(`silent ${node.name}`, `${node.name} gives no figures`, "It is reached, and does not answer within 700 ms.",
    "It is very busy, paused, or of an earlier version. What is shown leaves it out."));
}
