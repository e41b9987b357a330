// What stands around every view: the bar with the ways to them, the red line, and the word on a node that does not answer.

import { VIEWS } from "./app.js";
import { h } from "./dom.js";
import { span, time } from "./format.js";

const LABELS = { overview: "Overview", nodes: "Nodes", shards: "Shards", users: "Users", outcomes: "Outcomes" };

export function bar(app, logOut) {
  const { view, figures, lostSince } = app;
  const state = lostSince !== null ? ["bad", "no answer"] : ["good", `live from ${figures?.node ?? "this node"}`];
  return h(
    "header",
    { class: "bar", key: "bar" },
    h("a", { class: "brand", href: "#overview" }, h("span", { class: "mark", "aria-hidden": "true" }), "engage"),
    h(
      "nav",
      { "aria-label": "Views" },
      VIEWS.map((name) =>
        h("a", { href: `#${name}`, "aria-current": name === view ? "page" : undefined, key: name }, LABELS[name], name === "overview" && dot(app)),
      ),
    ),
    h("span", { class: `live ${state[0]}` }, state[1]),
    h("button", { type: "button", class: "quiet small", onclick: logOut }, "Log out"),
  );
}

function dot({ verdict }) {
  return (
    verdict &&
    verdict.level !== "ok" &&
    h("span", { class: `count ${verdict.level}`, "aria-label": `${verdict.troubles.length} to look at` }, verdict.troubles.length)
  );
}

/** The red line: what needs an operator now, on every view. The overview says all of it at length. */
export function redLine({ verdict, view, lostSince }) {
  const acts = verdict?.troubles.filter(({ level }) => level === "act") ?? [];
  if (acts.length === 0 || view === "overview" || lostSince !== null) return null;
  const [first] = acts;
  return h(
    "div",
    { class: "red-line", key: "red" },
    h("p", {}, h("b", {}, `${first.what}.`), ` ${first.todo}`),
    acts.length > 1 && h("a", { href: "#overview" }, `and ${acts.length - 1} more`),
  );
}

/** What a screen reader is told, once for each trouble. */
export function spoken({ verdict, lostSince, figures }) {
  if (lostSince !== null) return `${figures?.node ?? "The node"} does not answer.`;
  const acts = verdict?.troubles.filter(({ level }) => level === "act") ?? [];
  return acts.map(({ what, say, todo }) => `${say ?? what}. ${todo}`).join(" ");
}

/** The node that serves the page does not answer. */
export function lost(app, again) {
  if (app.lostSince === null) return null;
  const node = app.figures?.node;
  // Also one that is not ready, as all are for a moment when leaders move: its console serves.
  const others = (app.cluster?.nodes ?? []).filter((one) => one.name !== node && one.state !== "unreachable");
  const soon = app.triedIn > 1_500 ? ` It is tried again in ${span(app.triedIn)}.` : " It is tried again at once.";
  return h(
    "div",
    { class: "red-line lost", key: "lost" },
    h(
      "p",
      {},
      h("b", {}, `${node ?? "The node"}, which serves this page, has not answered since ${time(app.lostSince)}.`),
      " What you see is from before.",
      soon,
    ),
    others.length > 0 &&
      h(
        "p",
        {},
        "The console of other nodes: ",
        others.map((one, index) => [
          index > 0 && ", ",
          h("a", { href: `${location.protocol}//${one.http}/console`, key: one.name, rel: "noreferrer" }, one.name),
        ]),
        ". Each asks for the key again.",
      ),
    h("button", { type: "button", class: "small", onclick: again }, "Try now"),
  );
}
