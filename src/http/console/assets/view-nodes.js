// The nodes, the links between them, and how one is drained or taken out.

import { h } from "./dom.js";
import { NONE, bytes, count, rate, span, time, took } from "./format.js";
import { badge, drainProgress, heading, meter } from "./parts.js";
import { table } from "./table.js";

const CELLS = [
  ["trip50", "round trip"],
  ["out", "bytes a second"],
  ["queued", "bytes queued"],
];

export function nodes(app, actions) {
  return [
    ...app.cluster.nodes.filter((node) => node.state === "draining").map((node) => drain(app, node, actions)),
    h("section", { key: "nodes" }, heading("Nodes"), h("div", { class: "card" }, list(app, actions))),
    app.cluster.nodes.length > 1 && h("section", { key: "links" }, heading("Links", choice(app, actions)), h("div", { class: "card" }, matrix(app))),
  ];
}

/** The nodes with what each measures. */
function rowsOf({ cluster, figures, history, memory }) {
  const measured = new Map((figures?.nodes ?? []).map((node) => [node.name, node]));
  return cluster.nodes.map((node) => ({
    ...node,
    figures: measured.get(node.name)?.figures ?? null,
    clock: measured.get(node.name)?.clock_ahead_ms ?? null,
    rates: history.ofNode(node.name),
    since: memory.nodes[node.name]?.since,
  }));
}

function list(app, actions) {
  const figure = (get) => (node) => (node.figures ? get(node.figures) : null);
  const number = (key, label, value, show, title) => ({ key, label, title, number: true, sort: value, cell: (node) => show(value(node)) });
  const columns = [
    {
      key: "name",
      label: "Node",
      sort: (node) => node.name,
      cell: (node) => [h("b", {}, node.name), node.name === app.figures?.node && h("span", { class: "hint" }, "serves this page")],
    },
    {
      key: "state",
      label: "State",
      sort: (node) => node.state,
      cell: (node) => [badge(node.state), node.state !== "ready" && h("div", { class: "hint" }, `since ${time(node.since)}`)],
    },
    number("leaders", "Leads", (node) => node.leaders, count, "shards that it leads"),
    number("replicas", "Holds", (node) => node.replicas, count, "shards that it holds a replica of"),
    number("connections", "Connections", (node) => node.connections, count),
    number("acks", "Acks/s", (node) => node.rates.acks, rate, "confirmed"),
    number("offers", "Offers/s", (node) => node.rates.offers, rate),
    number("sync", "Sync p99", (node) => node.rates.sync99, took, "99 of 100 syncs of its log took at most that long in the last minute"),
    number(
      "memory",
      "Memory",
      figure((figures) => figures.memory_bytes),
      bytes,
    ),
    {
      key: "disk",
      label: "Disk used",
      sort: figure(({ disk }) => (disk ? 1 - disk.free_bytes / disk.all_bytes : null)),
      cell: figure(({ disk }) => (disk ? meter(1 - disk.free_bytes / disk.all_bytes, `${bytes(disk.free_bytes)} free`) : "in memory")),
    },
    number(
      "up",
      "Up for",
      figure((figures) => figures.up_ms),
      span,
    ),
    {
      key: "address",
      label: "Addresses",
      cell: (node) => [
        h("code", { title: "for publishers and clients" }, node.http),
        h("br"),
        h("code", { class: "dim", title: "for other nodes" }, node.cluster),
      ],
    },
    { key: "act", label: h("span", { class: "unseen" }, "Actions"), cell: (node) => buttons(node, actions) },
  ];
  return table({
    id: "nodes",
    caption: "Nodes of the cluster",
    columns,
    rows: rowsOf(app),
    rowKey: (node) => String(node.id),
    rowClass: (node) => (node.figures ? undefined : "silent"),
    sorts: actions.sorts,
    empty: "No nodes are known.",
  });
}

function buttons(node, actions) {
  const button = (label, act) => h("button", { type: "button", class: "small", key: label, onclick: act, "aria-label": `${label} ${node.name}` }, label);
  const canDrain = ["ready", "not_ready"].includes(node.state);
  const canRemove = ["unreachable", "draining"].includes(node.state);
  return h(
    "span",
    { class: "buttons" },
    canDrain && button("Drain", () => actions.askDrain(node)),
    canRemove && button("Remove", () => actions.askRemove(node)),
  );
}

function drain({ memory }, node, actions) {
  const progress = drainProgress(memory.nodes[node.name]);
  const done = "It is safe to stop it for maintenance now, or to remove it for good. Started again, it takes part as before.";
  return h(
    "section",
    { class: progress.isDone ? "card drain done" : "card drain", key: `drain ${node.name}`, "aria-label": `Drain of ${node.name}` },
    h(
      "div",
      {},
      h("h3", {}, progress.isDone ? `${node.name} is drained` : `Draining ${node.name}`),
      h("p", { "aria-live": "polite" }, `${node.name} ${progress.isDone ? progress.words : `has ${progress.words}`}. `, progress.isDone && done),
    ),
    h("progress", { max: 1, value: progress.part, "aria-label": `Drain of ${node.name}` }),
    progress.isDone && h("button", { type: "button", onclick: () => actions.askRemove(node) }, `Remove ${node.name}`),
  );
}

function choice({ ui }, actions) {
  return h(
    "fieldset",
    { class: "choice" },
    h("legend", { class: "unseen" }, "What the links show"),
    CELLS.map(([value, label]) =>
      h(
        "label",
        { key: value },
        h("input", { type: "radio", name: "links", value, checked: ui.matrix === value, onchange: () => actions.setMatrix(value) }),
        h("span", {}, label),
      ),
    ),
  );
}

/** From each node (rows) to each other (columns), as the node of the row measures it. */
function matrix(app) {
  const { cluster, figures, history, ui } = app;
  const names = cluster.nodes.map((node) => node.name);
  const measured = new Map((figures?.nodes ?? []).map((node) => [node.name, node.figures]));
  const cell = (from, to) => {
    const key = `${from} ${to}`;
    if (from === to) return h("td", { class: "self", key, "aria-label": "itself" });
    const link = measured.get(from)?.links.find((one) => one.node === to);
    if (!measured.get(from)) return h("td", { class: "unknown", key }, NONE);
    if (!link?.up) return h("td", { class: "down", key }, "down");
    const { trip50, out } = history.ofLink(from, to);
    const value = { trip50: took(trip50), out: `${bytes(out === null ? null : Math.round(out))}${out === null ? "" : "/s"}`, queued: bytes(link.queued_bytes) }[
      ui.matrix
    ];
    return h(
      "td",
      {
        key,
        class: ui.matrix === "queued" && link.queued_bytes > 1e6 ? "busy" : undefined,
        title: `${from} to ${to}: opened ${link.opened} times, ${link.not_sent} messages found it full`,
      },
      value,
    );
  };
  const head = h(
    "tr",
    {},
    h("td", { class: "corner" }, h("span", { class: "hint" }, "from ↓ to →")),
    names.map((name) => h("th", { scope: "col", key: name }, name)),
  );
  const rows = names.map((from) =>
    h(
      "tr",
      { key: from },
      h("th", { scope: "row" }, from),
      names.map((to) => cell(from, to)),
    ),
  );
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Links between the nodes" },
    h("table", { class: "matrix" }, h("thead", {}, head), h("tbody", {}, rows)),
  );
}
