// Since when things are as they are: what one look at the cluster can't tell. Pure: the memory goes in and a new one comes out.

/** So many changes of term are kept of a shard. */
const TERMS_MAX = 8;
/** Replicas that lack fewer entries are not behind. */
export const BEHIND_ENTRIES = 1_000;

export const EMPTY = { nodes: {}, shards: {}, links: {}, silent: {} };

/** The memory after a look: `cluster` and `figures` are the answers of the two routes, `figures` may be missing. */
export function track(memory, { cluster, figures }, now) {
  return {
    nodes: Object.fromEntries(cluster.nodes.map((node) => [node.name, nodeAfter(memory.nodes[node.name], node, now)])),
    shards: Object.fromEntries(cluster.shards.map((shard) => [shard.shard, shardAfter(memory.shards[shard.shard], shard, now)])),
    links: figures ? linksAfter(memory.links, figures, now) : memory.links,
    silent: figures ? silentAfter(memory.silent, figures, now) : memory.silent,
  };
}

function nodeAfter(before, node, now) {
  const left = { leaders: node.leaders, connections: node.connections ?? 0 };
  const changed = !before || before.state !== node.state;
  const since = changed ? now : before.since;
  const isSame = !changed && before.left.leaders === left.leaders && before.left.connections === left.connections;
  const first = changed || node.state !== "draining" ? left : more(before.first, left);
  // A node that was ready a moment ago began its drain with what it had then.
  const start = changed && before && node.state === "draining" ? more(before.left, left) : first;
  return { state: node.state, since, left, first: start, movedAt: isSame ? before.movedAt : now };
}

function more(one, other) {
  return { leaders: Math.max(one.leaders, other.leaders), connections: Math.max(one.connections, other.connections) };
}

function shardAfter(before, shard, now) {
  const isBehind = (shard.lag ?? 0) >= BEHIND_ENTRIES;
  const terms = before?.terms ?? [];
  const isNewTerm = before !== undefined && shard.term > before.term;
  return {
    term: Math.max(shard.term, before?.term ?? 0),
    terms: isNewTerm ? [...terms, now].slice(-TERMS_MAX) : terms,
    leaderlessSince: shard.leader === null ? (before?.leaderlessSince ?? now) : null,
    behindSince: isBehind ? (before?.behindSince ?? now) : null,
  };
}

/** Links between nodes that both answer, and are down: by `from`, then `to`, since when. */
function linksAfter(before, figures, now) {
  const answering = new Map(figures.nodes.filter((node) => node.figures).map((node) => [node.name, node.figures]));
  const down = {};
  for (const [from, { links }] of answering) {
    for (const to of answering.keys()) {
      if (to === from || links.find((link) => link.node === to)?.up) continue;
      down[from] = { ...down[from], [to]: before[from]?.[to] ?? now };
    }
  }
  return down;
}

/** Nodes that gave no figures, since when. */
function silentAfter(before, figures, now) {
  const silent = figures.nodes.filter((node) => !node.figures);
  return Object.fromEntries(silent.map(({ name }) => [name, before[name] ?? now]));
}
