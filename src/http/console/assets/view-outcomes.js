// What becomes of deliveries, as it happens: the newest on top, and only so many.

import { h } from "./dom.js";
import { count, time } from "./format.js";
import { happening, heading } from "./parts.js";

export function outcomes(app, actions) {
  const { tail } = app;
  const wanted = tail.filter.trim().toLowerCase();
  const rows = tail.rows.filter(
    (one) => wanted === "" || [one.user, one.id, one.outcome, one.device ?? ""].some((text) => text.toLowerCase().includes(wanted)),
  );
  return [
    h(
      "section",
      { key: "outcomes" },
      heading(
        "Outcomes as they happen",
        h("input", {
          type: "search",
          class: "filter",
          "aria-label": "Show only what contains",
          placeholder: "user, engagement, device, outcome",
          value: tail.filter,
          oninput: (event) => actions.filterTail(event.target.value),
        }),
        h("button", { type: "button", class: "small", "aria-pressed": String(tail.isPaused), onclick: actions.pauseTail }, tail.isPaused ? "Go on" : "Pause"),
        h("span", { class: "hint", role: "status" }, said(tail)),
      ),
      h(
        "div",
        { class: "card" },
        rows.length === 0
          ? h(
              "p",
              { class: "empty" },
              tail.rows.length === 0 ? "Nothing has happened since you came. Outcomes appear here by themselves." : "Nothing of what came contains that.",
            )
          : list(rows),
      ),
    ),
  ];
}

function said({ count: all, rows, isPaused, trouble }) {
  if (trouble) return trouble;
  const came = all > rows.length ? `${count(all)} came, the last ${count(rows.length)} are shown` : `${count(all)} came`;
  return isPaused ? `paused; ${came}` : came;
}

function list(rows) {
  const line = (one) =>
    h(
      "tr",
      { key: one.key },
      h("td", {}, h("time", {}, time(one.at))),
      h("td", {}, happening(one.outcome)),
      h("th", { scope: "row" }, h("a", { href: `#users/${encodeURIComponent(one.user)}` }, one.user)),
      h("td", {}, one.id),
      h("td", { class: "number" }, one.step || ""),
      h("td", {}, one.device ?? ""),
      h("td", {}, one.reason?.replaceAll("_", " ") ?? ""),
    );
  const head = ["At", "Outcome", "User", "Engagement", "Step", "Device", "Reason"].map((label) =>
    h("th", { scope: "col", class: label === "Step" ? "number" : undefined }, label),
  );
  return h(
    "div",
    { class: "scroll tail", tabindex: 0, role: "region", "aria-label": "Outcomes, newest first" },
    h("table", {}, h("caption", { class: "unseen" }, "Outcomes, newest first"), h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows.map(line))),
  );
}
