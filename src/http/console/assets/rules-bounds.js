// What can be the matter with what the nodes run on, and what comes near its bounds: clocks, disks, memory, queues, and callers who are turned away.

import * as words from "./format.js";
import { act, measured, watch } from "./trouble.js";

/** Clocks may differ by that much. */
const CLOCK_MS = 1_000;
/** What docs/operations.md says to alert on. */
const SYNC_SECONDS = 0.05;
/** Fewer syncs say nothing about a disk. */
const SYNCS_MIN = 20;
/** Parts of a bound. */
const NEAR = 0.8;
const AT = 0.95;
/** So many refusals in a minute are worth a look. */
const REFUSED_MIN = 10;

/** All of them. */
export const BOUNDS_RULES = [clocks, disks, slowDisks, fullLedgers, fullQueues, fullNodes, leases, limited, refused, knocks];

function clocks({ figures }) {
  const away = (figures?.nodes ?? []).filter((node) => Math.abs(node.clock_ahead_ms ?? 0) > CLOCK_MS);
  return away.flatMap((node) => {
    const ahead = node.clock_ahead_ms > 0;
    return act(
      `clock ${node.name}`,
      `The clock of ${node.name} is ${ahead ? "ahead" : "behind"}`,
      `By about ${words.span(Math.abs(node.clock_ahead_ms))}, compared with ${figures.node}'s.${ahead ? " Windows and ttls of the shards that it leads end early by that much." : ""}`,
      "Set it right: keep ntp or chrony running on every node.",
    );
  });
}

function disks(look) {
  return measured(look)
    .filter(({ figures }) => figures.disk !== null)
    .flatMap(({ name, figures }) => {
      const { free_bytes: free, all_bytes: all } = figures.disk;
      const used = 1 - free / all;
      if (all === 0 || (used < AT && free > 1e9)) return [];
      const level = used > 0.98 || free < 2e8 ? act : watch;
      return level(
        `disk ${name}`,
        `The disk of ${name} is nearly full`,
        `${words.bytes(free)} of ${words.bytes(all)} are free. A node that can't write ends itself.`,
        "Make room, or move its data directory to a larger disk.",
      );
    });
}

function slowDisks(look) {
  return measured(look).flatMap(({ name }) => {
    const { sync99 } = look.history.ofNode(name);
    if (sync99 === null || sync99 <= SYNC_SECONDS || look.history.syncsOf(name) < SYNCS_MIN) return [];
    return watch(
      `sync ${name}`,
      `The disk of ${name} is slow`,
      `In the last minute one sync of the log in a hundred took ${words.took(sync99)} or more: every confirm waits for it.`,
      "Give it a faster local disk, or longer timeouts.",
    );
  });
}

function fullLedgers(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const bound = figures.bounds.ledger_bytes_per_shard;
    const fullest = Math.max(0, ...figures.shards.map((shard) => shard.ledger_bytes / bound));
    if (!bound || fullest < NEAR) return [];
    const level = fullest < AT ? watch : act;
    return level(
      `ledger ${name}`,
      `The buffers on ${name} are nearly full`,
      `A shard that it leads holds ${words.percent(fullest)} of limits.ledger_bytes_per_shard (${words.bytes(bound)}). When it is full, publishes are answered 507.`,
      "Publish with shorter windows, or raise the bound on all nodes.",
    );
  });
}

function fullQueues(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const fullest = Math.max(0, ...figures.shards.map((shard) => shard.queued / figures.bounds.shard_queue_commands));
    if (fullest < NEAR) return [];
    return act(
      `queue ${name}`,
      `${name} does not keep up`,
      `${words.percent(fullest)} of a shard's queue of commands wait there. When it is full, calls are answered 503.`,
      "Look at its disk and processor; more nodes take some of its shards over.",
    );
  });
}

function fullNodes(look) {
  return measured(look).flatMap(({ name, figures }) => {
    const { connections, open_files: files } = figures.bounds;
    const open = Object.values(figures.connections).reduce((sum, some) => sum + some, 0);
    const places =
      connections && open / connections >= NEAR
        ? watch(
            `places ${name}`,
            `${name} has few places left`,
            `It holds ${words.count(open)} of ${words.count(connections)} connections; beyond that, clients are turned away.`,
            "Let another node join, or raise limits.connections.",
          )
        : [];
    const handles =
      files && figures.open_files && figures.open_files / files >= NEAR
        ? act(
            `files ${name}`,
            `${name} runs out of files`,
            `${words.count(figures.open_files)} of ${words.count(files)} are open.`,
            "Raise the hard limit of open files (ulimit -Hn), and restart it.",
          )
        : [];
    return [...places, ...handles];
  });
}

function leases({ history }) {
  const many = history.growthOf("leases_run_out");
  if (many === 0) return [];
  return watch(
    "leases",
    "Clients lost what they held",
    `${words.plural(many, "connection")} in the last minute: no owner spoke for them in time. It is offered again.`,
    "Look at the links, and whether every shard has a majority.",
  );
}

function limited({ history }) {
  return refusals(history.growth("limited"), (labels, many) =>
    watch(
      "limited",
      `Bounds are met: ${labels}`,
      `${words.plural(many, "request or message", "requests and messages")} refused in the last minute.`,
      "Find the caller who is unruly; or the cluster is too small for the load.",
    ),
  );
}

function refused({ history }) {
  return refusals(history.growth("refused"), (labels, many) =>
    watch(
      "refused",
      `Callers are turned away: ${labels}`,
      `${words.plural(many, "credential")} refused in the last minute.`,
      "Somebody uses an old token or a wrong key. Who calls stands in your proxy's log.",
    ),
  );
}

function knocks({ history }) {
  return refusals(
    history.growth("refused_peers"),
    (labels, many) =>
      watch(
        "knocks",
        `A stranger knocks at the cluster port: ${labels}`,
        `${words.plural(many, "time")} in the last minute.`,
        "The log says from where. A node with another secret or version, or somebody who should not reach that port.",
      ),
    1,
  );
}

function refusals(grown, tell, least = REFUSED_MIN) {
  const labels = Object.keys(grown).sort();
  const many = labels.reduce((sum, label) => sum + grown[label], 0);
  return many >= least ? tell(words.list(labels.map((label) => label.replaceAll("_", " "))), many) : [];
}
