// What to try, in an order that tells the story. Each ticks itself when it has happened, however it came about; the next one points at what to press.

import { announce } from "./announce.js";
import { on } from "./bus.js";
import { by, h, icon, mark, say } from "./dom.js";

/** `press`: what to press, by a selector. `watch` calls `tick` when it has happened. */
const TRIES = [
  {
    text: "Publish a survey",
    why: "The phone is offered it at once: that is where Ann looks.",
    press: '.kind[data-kind="survey"]',
    watch: (tick) => on("published", ({ engagement, body }) => engagement.payload.kind === "survey" && body?.status === "queued" && tick()),
  },
  {
    text: "Answer its first question",
    why: "On the phone. The next question comes with the confirm.",
    press: "#device-phone .body",
    watch: (tick) => on("traffic", ({ traffic: { message } }) => message.type === "confirm" && message.step >= 1 && message.steps > 1 && tick()),
  },
  {
    text: "Kill the owner",
    why: "kill -9 of the node that decides for Ann. The phone keeps its connection, and its question.",
    press: "#kill-owner",
    watch: (tick) => on("takenOver", tick),
  },
  {
    text: "Go on on the laptop",
    why: "Look at it: the survey moves, and begins at question two.",
    press: '#device-laptop [data-do="look"]',
    watch: (tick) => on("traffic", ({ device, traffic: { message } }) => device === "laptop" && message.type === "offer" && message.step > 1 && tick()),
  },
  {
    text: "Lose an ack",
    why: "Press it, then answer. The confirm is lost, the ack goes out again with the next hello, and nothing is shown twice.",
    press: '#device-laptop [data-do="lose"]',
    watch: (tick) => {
      const lost = new Set();
      on("lost", ({ device }) => lost.add(device));
      on("traffic", ({ device, traffic: { message } }) => lost.has(device) && message.type === "welcome" && message.acks.length > 0 && tick());
    },
  },
  {
    text: "Kill a tab, and open it again",
    why: "It finds what it had, if it is back before its lease has run out.",
    press: '#device-laptop [data-do="tab"]',
    watch: (tick) => {
      const killed = new Set();
      on("tabKilled", ({ device }) => killed.add(device));
      on("device", ({ device, state }) => killed.has(device) && state.name === "open" && tick());
    },
  },
  {
    text: "Take the device offline",
    why: "In the middle of something. Look at the other one: after the lease of 4 s it goes on there.",
    press: '#device-laptop [data-do="network"]',
    watch: (tick) => on("cut", tick),
  },
  {
    text: "Bring the node back",
    why: "It has its disk: it catches up, and is one of three again.",
    press: "#bring-back",
    watch: (tick) => {
      let back = null;
      on("started", ({ node }) => (back = node));
      on("state", ({ nodes }) => nodes.some(({ name, state }) => name === back && state === "up") && tick());
    },
  },
  {
    text: "Publish the same again",
    why: "Same id, same window: a duplicate, and nobody is asked twice.",
    press: ".answer .link",
    watch: (tick) => on("published", ({ body }) => body?.status === "duplicate" && tick()),
  },
];

/** See above. */
export class Tries {
  #rows;
  #pointedAt = null;

  constructor() {
    this.#rows = TRIES.map((one) => this.#row(one));
    by("tries").append(...this.#rows.map(({ element }) => element));
    this.#draw();
    // What is to be pressed may come and go.
    on("state", () => this.#point());
    on("published", () => this.#point());
  }

  #row({ text, why, press, watch }) {
    const state = h("span", { class: "unseen" }, "to do: ");
    const element = h("li", { class: "try" }, h("span", { class: "box", "aria-hidden": "true" }, icon("check")), h("div", {}, state, h("b", {}, text), h("p", {}, why)));
    const row = { element, press, text, isDone: false, state };
    watch(() => this.#tick(row));
    return row;
  }

  #tick(row) {
    if (row.isDone) return;
    row.isDone = true;
    announce(`Done: ${row.text}`);
    this.#draw();
  }

  #draw() {
    const next = this.#rows.find(({ isDone }) => !isDone);
    for (const row of this.#rows) {
      mark(row.element, "data-done", row.isDone);
      mark(row.element, "aria-current", row === next ? "step" : null);
      say(row.state, row.isDone ? "done: " : "to do: ");
    }
    const done = this.#rows.filter(({ isDone }) => isDone).length;
    say(by("tries-count"), done === this.#rows.length ? "all done: nothing was shown twice" : `${done} of ${this.#rows.length}`);
    this.#point();
  }

  /** Rings what to press next. */
  #point() {
    const next = this.#rows.find(({ isDone }) => !isDone);
    const target = next ? document.querySelector(next.press) : null;
    if (target === this.#pointedAt) return;
    this.#pointedAt?.classList.remove("pointed");
    target?.classList.add("pointed");
    this.#pointedAt = target;
  }
}
