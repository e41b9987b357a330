// The publisher: one click for the usual, a form for all options, and what the nodes answered.

import { api } from "./api.js";
import { on, tell } from "./bus.js";
import { by, h, icon } from "./dom.js";
import { optionsForm } from "./form.js";
import { KINDS, SPECIAL, engagement } from "./kinds.js";

const ANSWERS_MAX = 4;

const STATES = {
  queued: "it waits for a device",
  offered: "a device was offered it",
  shown: "it was shown",
  in_progress: "somebody is at it",
  completed: "it is completed",
  dismissed: "it was dismissed",
  expired: "it has expired",
  withdrawn: "it was withdrawn",
  dropped: "it was dropped",
};

/** See above. */
export class Publisher {
  /** Ids that are taken. */
  #taken = new Set();

  constructor() {
    for (const [kind, { name, about }] of Object.entries(KINDS)) {
      const run = () => this.#publish(engagement(kind, this.#freeId(kind)));
      by("kinds").append(h("button", { type: "button", class: "kind", "data-kind": kind, onclick: run }, icon(kind), h("b", {}, name), h("span", {}, about)));
    }
    for (const { name, about, kind, with: more } of SPECIAL) {
      const run = () => this.#publish(engagement(kind, this.#freeId(kind), more));
      by("special").append(h("button", { type: "button", class: "chip", title: about, onclick: run }, icon(kind), name, h("span", { class: "unseen" }, `: ${about}`)));
    }
    optionsForm(by("form"), {
      freeId: (kind) => this.#freeId(kind),
      publish: (kind, id, options) => this.#publish(engagement(kind, id, options)),
    });
    on("outcomes", (outcomes) => outcomes.forEach(({ id }) => this.#taken.add(id)));
  }

  #freeId(kind) {
    for (let number = 1; ; number += 1) if (!this.#taken.has(`${kind}-${number}`)) return `${kind}-${number}`;
  }

  async #publish(what) {
    this.#taken.add(what.id);
    const again = h("button", { type: "button", class: "link", onclick: () => this.#publish(what) }, "Publish it again");
    const text = h("span", {}, "…");
    const code = h("span", { class: "code" }, "201");
    const row = h("li", { class: "answer", "data-status": "asked" }, code, h("div", {}, h("b", {}, what.id), " ", text), again);
    by("answers").prepend(row);
    while (by("answers").children.length > ANSWERS_MAX) by("answers").lastChild.remove();
    const { status, body, node } = await api.publish(what);
    code.textContent = status === 0 ? "–" : String(status);
    row.dataset.status = status === 0 || status >= 400 ? "refused" : body.status;
    text.textContent = sentence(status, body, node);
    tell("published", { engagement: what, status, body });
  }
}

function sentence(status, body, node) {
  if (status === 0) return "no answer: the demo has ended";
  if (status >= 400) return `${body?.code ?? "refused"}: ${body?.detail ?? ""}`;
  switch (body.status) {
    case "queued":
      return `queued: committed by a majority, answered by ${node}`;
    case "duplicate":
      return `duplicate: ${STATES[body.state] ?? body.state}; nothing changes (${node})`;
    default:
      return body.devices === 1 ? `sent to 1 device, by ${node}` : `sent to ${body.devices} devices, by ${node}`;
  }
}
