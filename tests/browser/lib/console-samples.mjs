// Answers of the two routes that the console looks at, for tests of what it makes of them.

/** When these tests are. */
export const NOW = 1_700_000_000_000;

/** A node of `/v1/cluster`. */
export function node(number, change = {}) {
  return {
    name: `n${number}`,
    id: number,
    http: `10.0.0.${number}:7400`,
    cluster: `10.0.0.${number}:7401`,
    state: "ready",
    leaders: 1,
    replicas: 3,
    connections: 5,
    ...change,
  };
}

/** A shard of `/v1/cluster`. */
export function shard(number, change = {}) {
  const names = ["n1", "n2", "n3"];
  return { shard: number, leader: names[number % 3], term: 4, voters: names, learners: [], applied_index: 100, users: 7, lag: 0, ...change };
}

/** Three nodes, three shards, all well. */
export function cluster({ nodes = [node(1), node(2), node(3)], shards = [shard(0), shard(1), shard(2)] } = {}) {
  return { cluster_id: "c1", nodes, shards };
}

/** What one node measures; `up` seconds after its start. */
export function measures(number, up, change = {}) {
  const others = [1, 2, 3].filter((other) => other !== number);
  const quiet = new Array(18).fill(0);
  return {
    at: NOW,
    up_ms: up * 1_000,
    version: "1.0.0",
    counts: {
      publishes: {},
      acks: {},
      offers: 0,
      limited: {},
      refused: {},
      refused_peers: {},
      closed: {},
      leases_run_out: 0,
      redelivered: 0,
      ...change.counts,
    },
    times: { publish: quiet, confirm: quiet, commit: quiet, log_sync: quiet, ...change.times },
    connections: { websocket: 4, stream: 1 },
    links: others.map((other) => ({ node: `n${other}`, up: true, opened: 1, round_trip: quiet, queued_bytes: 0, in_bytes: 0, out_bytes: 0, not_sent: 0 })),
    shards: [{ shard: number - 1, quorum_age_ms: 20, queued: 0, lags: {}, buffered_deliveries: 2, buffered_bytes: 30, ledger_bytes: 1_000 }],
    failed_shards: [],
    memory_bytes: 5e7,
    open_files: 80,
    disk: { free_bytes: 5e10, all_bytes: 1e11 },
    bounds: { replication: 3, connections: 1_000, open_files: 10_000, ledger_bytes_per_shard: 1e9, shard_queue_commands: 16_384 },
    ...change.figures,
  };
}

/** The answer of `/v1/cluster/figures`, with each node changed as said by its number; `null` for one that is silent. */
export function figures(up, changes = {}) {
  const bounds = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
  const one = (number) => ({
    name: `n${number}`,
    id: number,
    clock_ahead_ms: changes[number]?.clock ?? 0,
    figures: changes[number] === null ? null : measures(number, up, changes[number]),
  });
  return { node: "n1", bounds_seconds: bounds, outcomes_cursor: "0-0.AAAA", nodes: [1, 2, 3].map(one) };
}

/** A histogram with counts in some of its buckets. */
export function histogram(counts) {
  return Array.from({ length: 18 }, (_, bucket) => counts[bucket] ?? 0);
}
