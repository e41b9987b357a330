// How the cluster is, and how it has been for the last minutes.

import { chart } from "./chart.js";
import { h } from "./dom.js";
import { bytes, count, plural, rate, took } from "./format.js";
import { heading, tile, troubles } from "./parts.js";

const CHARTS = [
  {
    id: "flow",
    title: "Publishes, offers, acks a second",
    show: rate,
    least: 1,
    lines: [
      { field: "publishes", label: "publishes", className: "one" },
      { field: "offers", label: "offers", className: "two" },
      { field: "acks", label: "confirmed acks", className: "three" },
    ],
  },
  {
    id: "confirm",
    title: "From an ack to its confirm",
    show: took,
    least: 0.001,
    lines: [
      { field: "confirm50", label: "half within", className: "one" },
      { field: "confirm99", label: "99 % within", className: "two" },
    ],
  },
  {
    id: "commit",
    title: "Commit and disk",
    show: took,
    least: 0.001,
    lines: [
      { field: "commit99", label: "99 % of commits", className: "one" },
      { field: "sync99", label: "99 % of syncs", className: "two" },
    ],
  },
  { id: "connections", title: "Client connections", show: count, least: 10, lines: [{ field: "connections", label: "open", className: "one" }] },
];

export function overview(app, actions) {
  const { verdict, history, now } = app;
  return [
    h(
      "section",
      { class: `card verdict ${verdict.level}`, key: "verdict", "aria-labelledby": "verdict" },
      h("h2", { id: "verdict" }, verdict.sentence),
      verdict.troubles.length > 0 && troubles(verdict.troubles),
    ),
    h("dl", { class: "tiles", key: "tiles" }, tiles(app)),
    h(
      "section",
      { key: "charts" },
      heading("The last minutes"),
      h(
        "div",
        { class: "charts" },
        CHARTS.map((one) =>
          chart({
            ...one,
            points: history.points,
            now,
            ui: { cursor: app.ui.cursor, setCursor: actions.setCursor, isTable: app.ui.tables.has(one.id), toggleTable: () => actions.toggleTable(one.id) },
          }),
        ),
      ),
    ),
  ];
}

function tiles({ cluster, figures, history }) {
  const ready = cluster.nodes.filter((node) => node.state === "ready").length;
  const led = cluster.shards.filter((shard) => shard.leader !== null).length;
  const measured = (figures?.nodes ?? []).map((node) => node.figures).filter(Boolean);
  const owned = measured.flatMap((node) => node.shards);
  const sum = (list, field) => list.reduce((all, one) => all + (one[field] ?? 0), 0);
  const now = history.points.at(-1) ?? {};
  return [
    tile("Nodes ready", `${ready} of ${cluster.nodes.length}`),
    tile("Shards led", `${led} of ${cluster.shards.length}`),
    tile("Users known", sum(cluster.shards, "users")),
    tile("Deliveries waiting", sum(owned, "buffered_deliveries"), bytes(sum(owned, "buffered_bytes"))),
    tile("Connections", now.connections ?? null, now.acks > 0 && `${rate(now.acks)} acks/s`),
    tile("Memory", bytes(sum(measured, "memory_bytes")), `on ${plural(measured.length, "node")}`),
  ];
}
