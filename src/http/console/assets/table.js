// A table that is sorted by any of its columns, by mouse or keyboard. It scrolls sideways inside itself where it is wider than the page.

import { h } from "./dom.js";

/** Rows in the order of a column: numbers by size, all else as people sort names (`n2` before `n10`); what isn't known comes last either way. */
export function sorted(rows, column, descending) {
  const known = (value) => value !== null && value !== undefined;
  const keyed = rows.map((row, index) => ({ row, index, value: column.sort(row) }));
  keyed.sort((one, other) => {
    if (!known(one.value) || !known(other.value)) return Number(known(other.value)) - Number(known(one.value)) || one.index - other.index;
    const order = typeof one.value === "number" ? one.value - other.value : String(one.value).localeCompare(String(other.value), "en", { numeric: true });
    return (descending ? -order : order) || one.index - other.index;
  });
  return keyed.map(({ row }) => row);
}

/**
 * A table. `id`: its place among the sorts; `caption`: what it is, for who can't see it; `columns`: `{key, label, title?, number?, sort?, cell}`; `rowKey`, `rowClass?`, `detail?`: of a row
 * (`detail` gives what stands in a line of its own below it, or nothing); `sorts`: `{get(id), set(id, sort)}`; `empty`: what is said when there are no rows; `first?`: how it is sorted at first.
 */
export function table({ id, caption, columns, rows, rowKey, rowClass, detail, sorts, empty, first }) {
  const sort = sorts.get(id) ?? first ?? { key: columns[0].key, descending: false };
  const column = columns.find(({ key, sort: by }) => by && key === sort.key);
  const shown = column ? sorted(rows, column, sort.descending) : rows;
  const body = shown.flatMap((row) => {
    const below = detail?.(row);
    const line = h(
      "tr",
      { key: rowKey(row), class: rowClass?.(row) },
      columns.map((one, index) => cell(one, row, index)),
    );
    return below ? [line, h("tr", { key: `${rowKey(row)} below`, class: "below" }, h("td", { colspan: columns.length }, below))] : [line];
  });
  if (rows.length === 0) return h("p", { class: "empty", key: id }, empty);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption, key: id },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((one) => head(one, sort, (next) => sorts.set(id, next))),
        ),
      ),
      h("tbody", {}, body),
    ),
  );
}

function head({ key, label, title, number, sort: by }, sort, change) {
  const isSorted = by && sort.key === key;
  const props = { scope: "col", class: number ? "number" : undefined, title, key };
  if (!by) return h("th", props, label);
  const next = { key, descending: isSorted ? !sort.descending : Boolean(number) };
  const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, isSorted ? (sort.descending ? "↓" : "↑") : "");
  return h(
    "th",
    { ...props, "aria-sort": isSorted ? (sort.descending ? "descending" : "ascending") : undefined },
    h("button", { type: "button", onclick: () => change(next) }, label, arrow),
  );
}

function cell({ number, cell: show, key }, row, index) {
  const props = { class: number ? "number" : undefined, key };
  return index === 0 ? h("th", { scope: "row", ...props }, show(row)) : h("td", props, show(row));
}
