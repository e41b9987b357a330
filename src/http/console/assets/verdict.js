// Whether all is well, and if not, what an operator is to do about it, in words. Pure: everything it knows is handed in, and what it says of a thing stays the same while the
// thing does, so that a screen reader hears it once. What is to be done in each case stands in docs/operations.md at length.

import * as words from "./format.js";
import { BOUNDS_RULES } from "./rules-bounds.js";
import { CLUSTER_RULES } from "./rules-cluster.js";

const RULES = [...CLUSTER_RULES, ...BOUNDS_RULES];

/**
 * Judges. `cluster`, `figures`: the answers of the two routes (`figures` may be missing); `memory`: of `track.js`; `history`: of `history.js`; `now`: ms since the epoch.
 * Gives `{level: "ok" | "watch" | "act", sentence, troubles: [{id, level, what, more, todo, say?}]}`, the worst first; `say` stands for `what` where that changes from look to look.
 */
export function verdict({ cluster, figures, memory, history, now }) {
  const look = { cluster, figures, memory, history, now, nodes: new Map(cluster.nodes.map((node) => [node.name, node])) };
  const found = RULES.flatMap((rule) => rule(look));
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
