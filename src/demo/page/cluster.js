// The three nodes: which of them runs, which owns Ann, and the buttons that kill them and bring them back.

import { announce } from "./announce.js";
import { api } from "./api.js";
import { on, tell } from "./bus.js";
import { by, h, icon, mark, say } from "./dom.js";

const STATES = { up: "serves", starting: "is coming up", down: "is dead" };

/** See above. */
export class Cluster {
  #cards = new Map();
  #state = null;
  /** When the owner was killed, and nobody had taken over yet. */
  #orphanedAt = null;
  #news = null;
  #killOwner = h("button", { type: "button", class: "button danger", id: "kill-owner", onclick: () => this.#kill(this.#state.owner) }, icon("bolt"), h("span", {}, "Kill the owner"));
  #bringBack = h("button", { type: "button", class: "button", id: "bring-back", onclick: () => this.#start(this.#dead()[0]) }, icon("back"), h("span", {}, "Bring it back"));

  constructor() {
    by("cluster-note").before(h("div", { class: "cluster-buttons" }, this.#killOwner, this.#bringBack));
    on("state", (state) => this.draw(state));
  }

  /** Draws what is so. */
  draw(state) {
    const before = this.#state;
    this.#state = state;
    for (const node of state.nodes) this.#draw(node, state);
    this.#killOwner.disabled = !state.owner;
    const [dead] = this.#dead();
    this.#bringBack.disabled = !dead;
    say(this.#bringBack.lastChild, dead ? `Bring ${dead} back` : "Bring it back");
    say(this.#killOwner.lastChild, state.owner ? `Kill the owner, ${state.owner}` : "Kill the owner");
    this.#notice(before, state);
    say(by("cluster-note"), this.#note(state));
  }

  #dead() {
    return this.#state.nodes.filter((node) => node.state === "down").map((node) => node.name);
  }

  #draw(node, state) {
    const card = this.#cards.get(node.name) ?? this.#make(node);
    const owns = state.owner === node.name;
    mark(card.element, "data-state", node.state);
    mark(card.element, "data-owner", owns);
    say(card.status, STATES[node.state]);
    say(card.detail, node.state === "up" ? `process ${node.pid}${node.leads === null ? "" : ` · leads ${node.leads} of 6`}` : node.url.replace("http://", ""));
    card.owns.hidden = !owns;
    const isDead = node.state === "down";
    say(card.button, isDead ? "Bring back" : "kill -9");
    mark(card.button, "aria-label", isDead ? `Bring ${node.name} back` : `Kill ${node.name}`);
  }

  #make(node) {
    const press = () => (this.#dead().includes(node.name) ? this.#start(node.name) : this.#kill(node.name));
    const card = {
      status: h("span", { class: "node-status" }),
      detail: h("span", { class: "node-detail" }),
      owns: h("span", { class: "owns", hidden: true }, icon("crown"), "owns Ann"),
      button: h("button", { type: "button", class: "link", onclick: press }),
    };
    card.element = h(
      "li",
      { class: "node", id: `node-${node.name}` },
      h("div", { class: "node-top" }, h("i", { class: "lamp", "aria-hidden": "true" }), h("b", {}, node.name), card.status, card.owns),
      h("div", { class: "node-bottom" }, card.detail, card.button),
    );
    by("nodes").append(card.element);
    this.#cards.set(node.name, card);
    return card;
  }

  async #kill(name) {
    if (!name) return;
    if (name === this.#state.owner) {
      this.#orphanedAt = performance.now();
      this.#news = null;
    }
    await api.node(name, "kill");
    tell("killed", { node: name, wasOwner: name === this.#state.owner });
    announce(`${name} was killed`);
  }

  async #start(name) {
    if (!name) return;
    await api.node(name, "start");
    tell("started", { node: name });
    announce(`${name} is coming back`);
  }

  /** Takes note of a new owner. */
  #notice(before, state) {
    if (this.#orphanedAt !== null && state.owner) {
      const seconds = ((performance.now() - this.#orphanedAt) / 1000).toFixed(1);
      this.#news = `${state.owner} took over, ${seconds} s after the crash. No answer was lost.`;
      this.#orphanedAt = null;
      tell("takenOver", { node: state.owner });
      announce(this.#news);
    } else if (before?.owner && state.owner && before.owner !== state.owner) {
      this.#news = `${state.owner} owns Ann again: leadership went back to where it belongs.`;
    }
  }

  #note(state) {
    const dead = this.#dead();
    if (dead.length >= 2) return "No majority: nothing new is accepted or offered until a node is back. That is the promise kept.";
    if (!state.owner) return "The nodes elect a new owner…";
    if (this.#news) return this.#news;
    return `${state.owner} owns Ann: it decides for her. The other two hold all it knows.`;
  }
}
