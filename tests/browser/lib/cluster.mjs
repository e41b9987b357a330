// A cluster of real nodes.

import { newNode } from "./node.mjs";
import { until } from "./wait.mjs";

const SECRET = "the-secret-of-the-nodes-of-the-tests-0123456789";

/** Within so long a cluster must be whole, on a busy machine. */
const WHOLE_MS = 40_000;

export class Cluster {
  constructor(nodes) {
    this.nodes = nodes;
  }

  /** Where clients and publishers go. */
  get urls() {
    return this.nodes.map((node) => node.url);
  }

  /** A caller of the first node that runs. */
  get api() {
    return this.#running()[0].api;
  }

  node(name) {
    return this.nodes.find((node) => node.name === name);
  }

  /** The node that owns a user of whom something is known already, once there is a leader. */
  async owner(user) {
    return until(`somebody owns ${user}`, async () => this.node((await this.api.user(user))?.owner));
  }

  /** The nodes that don't. */
  async others(user) {
    const owner = await this.owner(user);
    return this.nodes.filter((node) => node !== owner);
  }

  /** Waits until all nodes that run lead and hold every shard in the eyes of each of them. */
  async whole() {
    const names = this.nodes.map((node) => node.name);
    for (const node of this.#running()) {
      let missing = "it doesn't answer";
      await until(
        () => `the cluster is whole in the eyes of ${node.name}: ${missing}`,
        async () => (missing = whatIsMissing(await node.api.cluster(), names)) === "",
        WHOLE_MS,
      );
    }
  }

  /** Waits until every shard has a leader that runs, in the eyes of each node that does. */
  async led() {
    const names = this.#running().map((node) => node.name);
    for (const node of this.#running()) {
      const isLed = async () => (await node.api.cluster())?.shards.every((shard) => names.includes(shard.leader));
      await until(`every shard is led, in the eyes of ${node.name}`, isLed, WHOLE_MS);
    }
  }

  async remove() {
    await Promise.all(this.nodes.map((node) => node.remove()));
  }

  #running() {
    return this.nodes.filter((node) => node.isRunning);
  }
}

/** Starts so many nodes (`n1`, `n2`, …), and waits until their cluster is whole. */
export async function startCluster(count, { settings = {}, origins = [] } = {}) {
  const cluster = new Cluster([]);
  for (let number = 1; number <= count; number += 1) {
    const own = { "node.name": `n${number}`, "cluster.secret": SECRET, ...settings };
    cluster.nodes.push(await newNode({ settings: own, origins }));
  }
  const [first, ...rest] = cluster.nodes;
  await first.start();
  for (const node of rest) node.launch(["join", first.clusterAddress]);
  await Promise.all(rest.map((node) => node.ready()));
  await cluster.whole();
  return cluster;
}

function whatIsMissing(view, names) {
  if (!view) return "it doesn't answer";
  const unready = names.filter((name) => !view.nodes.some((node) => node.name === name));
  if (unready.length > 0) return `${unready} not known`;
  const voters = Math.min(names.length, 3);
  const incomplete = view.shards.filter((shard) => !names.includes(shard.leader) || shard.voters.length !== voters || shard.learners.length > 0);
  return incomplete.map((shard) => `shard ${shard.shard} led by ${shard.leader}, voters ${shard.voters}`).join("; ");
}
