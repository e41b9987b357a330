// The shards: who leads them, who holds them, and how far each is.

import { h } from "./dom.js";
import { NONE, count, bytes, plural } from "./format.js";
import { heading } from "./parts.js";
import { table } from "./table.js";
import { BEHIND_ENTRIES } from "./track.js";

/** Fewer than that, nobody would call behind: entries are on their way all the time. */
const SLIGHT_ENTRIES = 64;

export function shards(app, actions) {
  const rows = rowsOf(app);
  const wanted = rows.filter(filterOf(app.ui.shards));
  return [
    h("section", { key: "map" }, heading("Where they lie", legend()), h("div", { class: "card" }, map(app))),
    h(
      "section",
      { key: "shards" },
      heading("Shards", filters(app, actions), h("span", { class: "hint" }, wanted.length < rows.length && `${wanted.length} of ${rows.length}`)),
      h("div", { class: "card" }, list(wanted, actions)),
    ),
  ];
}

function rowsOf({ cluster, figures }) {
  const owned = new Map((figures?.nodes ?? []).flatMap((node) => (node.figures?.shards ?? []).map((shard) => [shard.shard, shard])));
  return cluster.shards.map((shard) => ({ ...shard, owned: owned.get(shard.shard) ?? null }));
}

/** Whether a shard is shown. Pure. */
export function filterOf({ leader, onlyOdd }) {
  const isOdd = (shard) => shard.leader === null || shard.learners.length > 0 || (shard.lag ?? 0) >= BEHIND_ENTRIES;
  return (shard) => (leader === "" || (leader === "none" ? shard.leader === null : shard.leader === leader)) && (!onlyOdd || isOdd(shard));
}

function filters({ cluster, ui }, actions) {
  const leaders = [["", "any node"], ...cluster.nodes.map((node) => [node.name, node.name]), ["none", "nobody"]];
  return h(
    "span",
    { class: "filters" },
    h(
      "label",
      {},
      "led by ",
      h(
        "select",
        { onchange: (event) => actions.setShards({ leader: event.target.value }), value: ui.shards.leader },
        leaders.map(([value, label]) => h("option", { value, key: value }, label)),
      ),
    ),
    h(
      "label",
      {},
      h("input", { type: "checkbox", checked: ui.shards.onlyOdd, onchange: (event) => actions.setShards({ onlyOdd: event.target.checked }) }),
      " only those that want a look",
    ),
  );
}

function list(rows, actions) {
  const number = (key, label, value, show = count, title = undefined) => ({
    key,
    label,
    title,
    number: true,
    sort: value,
    cell: (shard) => show(value(shard)),
  });
  const columns = [
    { key: "shard", label: "Shard", sort: (shard) => shard.shard, cell: (shard) => shard.shard },
    {
      key: "leader",
      label: "Leader",
      sort: (shard) => shard.leader,
      cell: (shard) => (shard.leader === null ? h("span", { class: "badge bad" }, "nobody") : h("b", {}, shard.leader)),
    },
    { key: "voters", label: "Voters", sort: (shard) => shard.voters.join(" "), cell: (shard) => chips(shard.voters, shard.leader) },
    {
      key: "learners",
      label: "Learners",
      sort: (shard) => shard.learners.join(" "),
      cell: (shard) => (shard.learners.length > 0 ? chips(shard.learners, null) : ""),
    },
    number("term", "Term", (shard) => shard.term),
    number(
      "applied",
      "Applied",
      (shard) => shard.applied_index,
      (value) => (value === null ? NONE : value.toLocaleString("en")),
      "the last log entry that its leader has applied",
    ),
    { ...number("lag", "Lag", (shard) => shard.lag, count, "entries that its slowest replica lacks"), cell: lag },
    number(
      "quorum",
      "Quorum",
      (shard) => shard.owned?.quorum_age_ms ?? null,
      (value) => (value === null ? NONE : `${count(value)} ms`),
      "since a majority stood behind its leader",
    ),
    number("queued", "Queue", (shard) => shard.owned?.queued ?? null, count, "commands that wait to be proposed"),
    number("users", "Users", (shard) => shard.users),
    number("waiting", "Waiting", (shard) => shard.owned?.buffered_deliveries ?? null, count, "deliveries that are not settled"),
    number("ledger", "Ledger", (shard) => shard.owned?.ledger_bytes ?? null, bytes, "about the memory of its ledger"),
  ];
  return table({
    id: "shards",
    caption: "Shards of the cluster",
    columns,
    rows,
    rowKey: (shard) => String(shard.shard),
    rowClass: (shard) => (shard.leader === null ? "alarm" : undefined),
    sorts: actions.sorts,
    empty: "No shard is like that.",
  });
}

function lag({ lag: entries, leader }) {
  if (entries === null) return NONE;
  if (leader === null || entries < SLIGHT_ENTRIES) return count(entries);
  return h("span", { class: entries >= BEHIND_ENTRIES ? "badge bad" : "badge busy" }, count(entries));
}

function chips(names, leader) {
  return h(
    "span",
    { class: "chips" },
    names.map((name) => h("span", { class: name === leader ? "chip leads" : "chip", key: name }, name)),
  );
}

function legend() {
  const one = (kind, label) => h("span", { key: kind }, h("i", { class: `dot ${kind}`, "aria-hidden": "true" }), label);
  return h("span", { class: "key", "aria-hidden": "true" }, one("leads", "leads"), one("votes", "replica"), one("learns", "learner"), one("lost", "no leader"));
}

/** A row for each node, a column for each shard; what it shows stands in the table below. */
function map({ cluster }) {
  const kind = (shard, name) => {
    if (shard.leader === name) return "leads";
    if (shard.voters.includes(name)) return shard.leader === null ? "lost" : "votes";
    return shard.learners.includes(name) ? "learns" : "none";
  };
  const rows = cluster.nodes.map((node) =>
    h(
      "div",
      { class: "row", key: node.name },
      h("span", { class: "name" }, node.name),
      h(
        "span",
        { class: "cells" },
        cluster.shards.map((shard) => h("i", { class: `dot ${kind(shard, node.name)}`, title: `shard ${shard.shard} on ${node.name}`, key: shard.shard })),
      ),
      h("span", { class: "hint" }, `leads ${node.leaders}, holds ${node.replicas}`),
    ),
  );
  const step = cluster.shards.length <= 20 ? 1 : cluster.shards.length <= 40 ? 4 : 8;
  const numbers = cluster.shards.map(({ shard }) => h("span", { key: shard }, shard % step === 0 ? shard : ""));
  const head = h(
    "div",
    { class: "row head", key: " head" },
    h("span", { class: "name" }, "shard"),
    h("span", { class: "cells" }, numbers),
    h("span", { class: "hint" }),
  );
  const spread = cluster.nodes.map((node) => `${node.name} leads ${plural(node.leaders, "shard")} and holds ${node.replicas}`).join("; ");
  return h(
    "div",
    { class: "scroll map", tabindex: 0, role: "img", "aria-label": `${spread}.`, vars: { "--shards": String(cluster.shards.length) } },
    head,
    rows,
  );
}
