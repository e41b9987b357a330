// Small pieces that several views are made of.

import { h } from "./dom.js";
import { count, plural, span } from "./format.js";

const STATE_WORDS = {
  ready: "ready",
  joining: "joining",
  not_ready: "not ready",
  draining: "draining",
  leaving: "leaving",
  unreachable: "unreachable",
  queued: "queued",
  offered: "offered",
  shown: "shown",
  in_progress: "in progress",
  completed: "completed",
  dismissed: "dismissed",
  expired: "expired",
  withdrawn: "withdrawn",
  dropped: "dropped",
};
const TONES = {
  ready: "good",
  unreachable: "bad",
  not_ready: "bad",
  draining: "busy",
  leaving: "busy",
  joining: "busy",
  completed: "good",
  dropped: "bad",
  expired: "dim",
  withdrawn: "dim",
  dismissed: "dim",
  queued: "plain",
  offered: "move",
  shown: "move",
  in_progress: "move",
};

/** A state in its colour; the word says it too. */
export function badge(state) {
  return h("span", { class: `badge ${TONES[state] ?? "plain"}` }, STATE_WORDS[state] ?? state);
}

/** What happened, in the colour of the state that it leads to. */
export function happening(outcome) {
  const tone = outcome === "step" ? "move" : (TONES[outcome] ?? "plain");
  return h("span", { class: `badge ${tone}` }, outcome.replaceAll("_", " "));
}

/** A heading of a part of a view, with what stands beside it. */
export function heading(text, ...beside) {
  return h("div", { class: "heading" }, h("h2", {}, text), beside);
}

/** How far a drain is, in words and as a bar. Pure. */
export function drainProgress({ first, left }) {
  const begun = first.leaders + first.connections;
  const still = left.leaders + left.connections;
  const isDone = still === 0;
  const parts = [left.leaders > 0 && plural(left.leaders, "leader"), left.connections > 0 && plural(left.connections, "connection")].filter(Boolean);
  return { isDone, part: begun === 0 ? 1 : (begun - still) / begun, words: isDone ? "leads nothing, holds no connections" : `${parts.join(" and ")} left` };
}

/** A ratio as a small bar with its words. */
export function meter(part, text) {
  return h("span", { class: `meter ${part >= 0.95 ? "bad" : part >= 0.9 ? "busy" : ""}`, vars: { "--part": String(Math.min(1, Math.max(0, part))) } }, text);
}

/** A label and a value, as a term and its description. */
export function fact(label, ...value) {
  return h("div", { class: "fact", key: label }, h("dt", {}, label), h("dd", {}, value));
}

/** How long until then, or since. */
export function until(at, now) {
  return at > now ? `in ${span(at - now)}` : `${span(now - at)} ago`;
}

/** A big number with its label. */
export function tile(label, value, more) {
  return h(
    "div",
    { class: "tile", key: label },
    h("dt", {}, label),
    h("dd", {}, h("b", {}, typeof value === "number" ? count(value) : value), more && h("span", {}, more)),
  );
}

/** The list of what is the matter. */
export function troubles(list) {
  return h(
    "ul",
    { class: "troubles" },
    list.map(({ id, level, what, more, todo }) => h("li", { key: id, class: level }, h("b", {}, `${what}.`), " ", more, h("span", { class: "todo" }, todo))),
  );
}
