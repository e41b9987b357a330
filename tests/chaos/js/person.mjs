// People with the JS client among the others of a load: connect, look at what they are offered, lose their line, kill their tab, come back. What they see goes into a
// history that the same checker judges. Started by tests/cluster/load/guests.rs, which says what they do by lines on stdin: "attentive", "over".
//
//   node person.mjs '{"client": path, "history": path, "run": {…}, "nodes": [{name, url}], "people": [{user, device, token, transport}], "seed": n, "fault": "forgets" | null}'
//
// The fault "forgets" is a client whose outbox is lost with its page. A test plants it, and the checker must find it.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as pass } from "node:timers/promises";
import { History } from "./history.mjs";
import { Life, nameOf } from "./life.mjs";

/** How often a person looks up, when nothing comes. */
const TICK_MS = 250;
/** How long a lively person stays. */
const STAY_MS = [1_500, 8_000];
/** How long a dead line is not noticed. */
const MUTE_MS = [50, 400];
const SETTLED = ["completed", "dismissed", "expired", "withdrawn", "dropped"];

const plan = JSON.parse(process.argv[2]);
const signals = { isAttentive: false, isOver: false };
const history = new History(plan.run);

class Person {
  /** What was said about a delivery and not confirmed: the highest step. */
  said = new Map();
  store;
  #connect;

  constructor(connect, { user, device, token, transport }, seed) {
    [this.#connect, this.user, this.token] = [connect, user, token];
    this.options = { device, transport };
    this.random = randomFrom(seed);
    this.store = newStore();
  }

  /** A confirm came. */
  heard(name, { step, state }) {
    if (SETTLED.includes(state) || step >= (this.said.get(name)?.step ?? Infinity)) this.said.delete(name);
  }

  async live() {
    await pass(this.#between([0, 1_000]));
    while (!signals.isOver) {
      await this.#onePage();
      if (plan.fault === "forgets") this.store = newStore();
      await pass(this.#between([50, 300]));
    }
  }

  /** From the load of a page to its end. */
  async #onePage() {
    const nodes = [...plan.nodes].sort(() => this.random() - 0.5);
    const nodeAt = (url) => nodes.find((node) => node.url === url).name;
    const options = { ...this.options, url: nodes.map(({ url }) => url), getToken: () => this.token, maxInFlight: 1 + Math.floor(this.random() * 7) };
    const life = new Life(this.#connect, this, { history, nodeAt, options });
    life.engage.on("offer", (delivery) => void (this.#isLively && this.#chooses(0.1)) || this.#act(life, delivery));
    const until = performance.now() + this.#between(STAY_MS);
    while (!signals.isOver && (!this.#isLively || performance.now() < until)) {
      this.#lookUp(life);
      await pass(TICK_MS);
    }
    await this.#leave(life);
  }

  async #leave(life) {
    if (signals.isOver || this.#chooses(0.4)) return life.close();
    // What is said on a line that is dead already, nobody hears: all of it must be said again by the next page.
    life.isMute = this.#chooses(0.7);
    for (const delivery of life.engage.deliveries) this.#act(life, delivery);
    await pass(this.#between(MUTE_MS));
    life.kill();
  }

  /** Now and then it is put away or taken up; what was left lying is done when everybody is to be attentive. */
  #lookUp(life) {
    if (this.#isLively) {
      if (this.#chooses(0.05)) life.engage.setVisible(this.#chooses(0.5));
      return;
    }
    life.engage.setVisible(true);
    for (const delivery of life.engage.deliveries) if (!delivery.pending) this.#act(life, delivery);
  }

  /** Does the next step, or, now and then, wants none of it. */
  #act(life, delivery) {
    const { nextStep, steps, signal } = delivery;
    if (life.isOver || signal.aborted || nextStep > steps) return;
    const answer = this.#isLively && this.#chooses(0.05) ? delivery.dismiss() : this.#step(delivery, nextStep);
    // A refusal, or the end of the page, is no news: what was said is kept.
    answer.then(({ settled }) => settled || this.#chooses(0.2) || this.#act(life, delivery), () => {});
  }

  #step(delivery, step) {
    const [{ id, window }, data] = [delivery, { step }];
    this.said.set(nameOf(delivery), { step, data, key: { user: this.user, id, window } });
    return delivery.step(step, data);
  }

  get #isLively() {
    return !signals.isAttentive;
  }

  #chooses(part) {
    return this.random() < part;
  }

  #between([least, most]) {
    return least + this.random() * (most - least);
  }
}

/** What a page keeps, and the next one finds. */
function newStore() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) };
}

/** The same numbers for the same seed (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (line === "attentive") signals.isAttentive = true;
    if (line === "over") signals.isOver = true;
  })
  .on("close", () => {
    // Whoever began it is gone.
    if (!signals.isOver) process.exit(1);
  });

// As one module, whatever the folder says that its files are.
const { connect } = await import(`data:text/javascript;base64,${(await readFile(plan.client)).toString("base64")}`);
await Promise.all(plan.people.map((person, number) => new Person(connect, person, plan.seed + number).live()));
history.write(plan.history);
process.exit(0);
