// A line chart of the last minutes: lines, an axis, a value under the pointer or the arrow keys, and the same as a table. Everything that reckons is pure and exported for its tests.

import { h } from "./dom.js";
import { time } from "./format.js";

const WIDTH = 600,
  HEIGHT = 120;
const MINUTE = 60_000;
const SPANS = [1, 2, 5, 10].map((minutes) => minutes * MINUTE);
/** Rows of a chart's table. */
const ROWS_MAX = 20;

/** How far back a chart looks: the first of 1, 2, 5 and 10 minutes that holds all points. */
export function spanOf(points, now) {
  const age = points.length > 0 ? now - points[0].at : 0;
  return SPANS.find((span) => age <= span) ?? SPANS.at(-1);
}

/** A round number that is at least `value`: 1, 2, 4, 6 or 8 times a power of ten. */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 4, 6, 8, 10].find((it) => it * power >= value * (1 - 1e-9)) ?? 10;
  return Number((factor * power).toPrecision(3));
}

/** The largest value of some fields. */
export function highest(points, fields) {
  let largest = 0;
  for (const point of points) for (const field of fields) if (point[field] > largest) largest = point[field];
  return largest;
}

/** The line of one field as the data of an SVG path, from `from` to `to` in time and from 0 to `top`; a value that isn't known breaks it. */
export function path(points, field, { from, to, top }) {
  const stretches = [[]];
  for (const point of points) {
    const value = point[field];
    if (value === null || value === undefined || point.at < from) {
      if (stretches.at(-1).length > 0) stretches.push([]);
      continue;
    }
    const x = ((point.at - from) / (to - from)) * WIDTH;
    const y = HEIGHT - (value / top) * HEIGHT;
    stretches.at(-1).push(`${x.toFixed(1)} ${y.toFixed(1)}`);
  }
  // A point that stands alone is a line too short to see, with round ends.
  return stretches.map((places) => (places.length === 0 ? "" : `M${places.join("L")}${places.length === 1 ? "h0.1" : ""}`)).join("");
}

/** The point that lies closest to a time, among those that have values. */
export function closest(points, at) {
  let best = null;
  for (const point of points) if (Object.keys(point).length > 1 && (best === null || Math.abs(point.at - at) < Math.abs(best.at - at))) best = point;
  return best;
}

/** At most so many of the points that have values, evenly, the newest among them and first. */
export function thinned(points, most = ROWS_MAX) {
  const whole = points.filter((point) => Object.keys(point).length > 1);
  const step = Math.max(1, Math.ceil(whole.length / most));
  return whole.filter((_, index) => (whole.length - 1 - index) % step === 0).reverse();
}

/**
 * A chart. `id`, `title`; `lines`: `{field, label, className}`; `show`: a value as words; `points`, `now`; `least`: a top that the axis has at least;
 * `ui`: `{cursor: time or null, setCursor, isTable, toggleTable}`.
 */
export function chart({ id, title, lines, show, points, now, least = 0, ui }) {
  const span = spanOf(points, now);
  const from = now - span;
  const visible = points.filter((point) => point.at >= from);
  const top = roundUp(
    Math.max(
      least,
      highest(
        visible,
        lines.map(({ field }) => field),
      ),
    ),
  );
  const cursor = ui.cursor === null ? null : closest(visible, ui.cursor);
  const shown = cursor ?? points.at(-1) ?? {};
  const move = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    ui.setCursor(from + ((event.clientX - box.left) / box.width) * span);
  };
  const legend = lines.map(({ field, label, className }) =>
    h(
      "li",
      { key: field },
      h("span", { class: `swatch ${className}`, "aria-hidden": "true" }),
      h("span", { class: "label" }, label),
      h("b", {}, show(shown[field])),
    ),
  );
  const words = `${time(shown.at)}: ${lines.map(({ field, label }) => `${label} ${show(shown[field])}`).join(", ")}`;
  const plot = h(
    "div",
    {
      class: "plot",
      tabindex: 0,
      role: "slider",
      "aria-label": `${title}, moment shown`,
      "aria-valuemin": Math.round(from),
      "aria-valuemax": Math.round(now),
      "aria-valuenow": Math.round(shown.at ?? now),
      "aria-valuetext": words,
      onpointermove: move,
      onpointerdown: move,
      onpointerleave: () => ui.setCursor(null),
      onblur: () => ui.setCursor(null),
      onkeydown: (event) => keys(event, { visible, cursor, ui }),
    },
    drawing({ lines, visible, from, to: now, top, cursor }),
    h("span", { class: "top", "aria-hidden": "true" }, show(top)),
    h("span", { class: "middle", "aria-hidden": "true" }, show(top / 2)),
    h("span", { class: "oldest", "aria-hidden": "true" }, `${span / MINUTE} min ago`),
    h("span", { class: "newest", "aria-hidden": "true" }, cursor ? time(cursor.at) : "now"),
  );
  return h(
    "figure",
    { class: "chart card", key: id, "aria-label": title },
    h(
      "figcaption",
      {},
      h("h3", {}, title),
      h(
        "button",
        { type: "button", class: "quiet small", "aria-pressed": String(ui.isTable), onclick: ui.toggleTable, "aria-label": `${title} as a table` },
        ui.isTable ? "Chart" : "Table",
      ),
      h("ul", { class: "legend" }, legend),
    ),
    ui.isTable ? values({ title, lines, show, points: visible }) : plot,
  );
}

function drawing({ lines, visible, from, to, top, cursor }) {
  const paths = lines.map(({ field, className }) =>
    h("path", { key: field, class: `line ${className}`, d: path(visible, field, { from, to, top }), "vector-effect": "non-scaling-stroke" }),
  );
  const across = [0.5, HEIGHT / 2, HEIGHT - 0.5].map((y) =>
    h("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y, "vector-effect": "non-scaling-stroke" }),
  );
  const x = cursor ? ((cursor.at - from) / (to - from)) * WIDTH : 0;
  const needle = cursor && h("line", { class: "needle", x1: x, x2: x, y1: 0, y2: HEIGHT, "vector-effect": "non-scaling-stroke", key: "needle" });
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, across, paths, needle);
}

function keys(event, { visible, cursor, ui }) {
  const whole = visible.filter((point) => Object.keys(point).length > 1);
  const at = cursor ? whole.indexOf(cursor) : whole.length - 1;
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -whole.length, End: whole.length };
  if (event.key === "Escape") ui.setCursor(null);
  if (!(event.key in steps) || whole.length === 0) return;
  event.preventDefault();
  ui.setCursor(whole[Math.min(whole.length - 1, Math.max(0, at + steps[event.key]))].at);
}

function values({ title, lines, show, points }) {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "At"),
    lines.map(({ label }) => h("th", { scope: "col", class: "number" }, label)),
  );
  const rows = thinned(points).map((point) =>
    h(
      "tr",
      { key: point.at },
      h("th", { scope: "row" }, time(point.at)),
      lines.map(({ field }) => h("td", { class: "number" }, show(point[field]))),
    ),
  );
  return h(
    "div",
    { class: "scroll values", tabindex: 0, role: "region", "aria-label": `${title} as a table` },
    h("table", {}, h("thead", {}, head), h("tbody", {}, rows)),
  );
}
