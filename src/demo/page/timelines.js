// What became of each delivery: from the API a publisher reads it from, drawn as a line with a stop for each thing that happened. Notices have no record; of them the outcomes tell.

import { api } from "./api.js";
import { on } from "./bus.js";
import { by, h, icon } from "./dom.js";
import { isSettled } from "./kept.js";

const SHOWN_MAX = 12;
const WORDS = { in_progress: "in progress", notice_sent: "sent", notice_seen: "seen" };

/** See above. */
export class Timelines {
  /** Id → what is known. Newest first. */
  #cards = new Map();

  constructor() {
    on("outcomes", (outcomes) => {
      const changed = new Set();
      for (const outcome of outcomes) {
        this.#card(outcome.id);
        if (outcome.outcome.startsWith("notice")) this.#notice(outcome);
        else changed.add(outcome.id);
      }
      for (const id of changed) void this.#read(id);
    });
  }

  async #read(id) {
    const card = this.#card(id);
    // Answers may overtake each other: the one to the last question counts.
    const asked = (card.asked += 1);
    const { status, body } = await api.delivery(id);
    if (asked !== card.asked) return;
    if (status === 404) return this.#drop(id);
    if (status !== 200) return;
    this.#draw(card, { id, state: body.state, reason: body.reason, steps: body.steps, step: body.step, scope: body.scope, events: body.timeline });
  }

  #notice(outcome) {
    const card = this.#card(outcome.id);
    card.events ??= [];
    if (card.events.some(({ cursor }) => cursor === outcome.cursor)) return;
    card.events.push(outcome);
    const isSeen = card.events.some(({ outcome: what }) => what === "notice_seen");
    this.#draw(card, { id: outcome.id, state: isSeen ? "seen" : "sent", events: card.events });
  }

  #card(id) {
    if (this.#cards.has(id)) return this.#cards.get(id);
    const withdraw = h("button", { type: "button", class: "link", onclick: () => api.withdraw(id), "aria-label": `Withdraw ${id}` }, "Withdraw");
    const card = { asked: 0, events: null, withdraw, head: h("div", { class: "delivery-head" }), line: h("ol", { class: "line" }) };
    card.scroll = h("div", { class: "line-frame", tabindex: "0", role: "group", "aria-label": `Timeline of ${id}` }, card.line);
    card.element = h("li", { class: "delivery", "data-id": id }, card.head, card.scroll);
    this.#cards.set(id, card);
    by("timelines").prepend(card.element);
    while (by("timelines").children.length > SHOWN_MAX) this.#drop(by("timelines").lastChild.dataset.id);
    by("timelines-empty").hidden = true;
    return card;
  }

  #drop(id) {
    this.#cards.get(id)?.element.remove();
    this.#cards.delete(id);
    by("timelines-empty").hidden = this.#cards.size > 0;
  }

  #draw(card, { id, state, reason, steps, step, scope, events }) {
    const kind = id.split("-")[0];
    const word = WORDS[state] ?? state;
    card.element.dataset.state = state;
    card.withdraw.hidden = isSettled(state) || state === "sent" || state === "seen";
    const parts = [
      icon(["survey", "tour", "banner", "notice"].includes(kind) ? kind : "survey"),
      h("b", {}, id),
      h("span", { class: "pill", "data-is": state }, reason && reason !== "publisher" ? `${word}: ${reason.replace("_", " ")}` : word),
      steps > 1 ? h("span", { class: "hint" }, `${step} of ${steps} steps`) : null,
      scope === "device" ? h("span", { class: "hint" }, "for each device") : null,
      card.withdraw,
    ];
    card.head.replaceChildren(...parts.filter((part) => part !== null));
    const first = events[0]?.at ?? 0;
    const wasAtEnd = card.scroll.scrollLeft + card.scroll.clientWidth >= card.scroll.scrollWidth - 4;
    card.line.replaceChildren(...events.map((event, at) => stop(event, at === 0 ? null : event.at - first)));
    if (wasAtEnd) card.scroll.scrollLeft = card.scroll.scrollWidth;
  }
}

function stop({ at, outcome, device, step, reason }, sinceMs) {
  const word = outcome === "step" ? `step ${step}` : (WORDS[outcome] ?? outcome);
  const when = sinceMs === null ? new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }) : `+${span(sinceMs)}`;
  return h(
    "li",
    { class: "stop", "data-what": outcome, "data-device": device },
    h("i", { class: "stop-dot", "aria-hidden": "true" }),
    h("b", {}, word),
    h("span", { class: "stop-device" }, device ? [icon(device === "laptop" ? "laptop" : "phone"), device] : (reason ?? "").replace("_", " ")),
    h("time", { datetime: new Date(at).toISOString() }, when),
  );
}

function span(ms) {
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`;
}
