// One user: window, owner, devices, what waits, and each delivery with what happened to it. Here an operator withdraws one, or forgets the user.

import { h } from "./dom.js";
import { bytes, count, date, plural, span, time } from "./format.js";
import { badge, fact, heading, until } from "./parts.js";
import { table } from "./table.js";

export function users(app, actions) {
  const { search, now } = app;
  return [
    h(
      "div",
      { key: "search" },
      h(
        "form",
        { class: "card search", role: "search", onsubmit: actions.search },
        h("label", { for: "user" }, "User"),
        h("input", {
          id: "user",
          name: "user",
          type: "search",
          autocomplete: "off",
          autocapitalize: "off",
          spellcheck: "false",
          placeholder: "id of the user, as publishers name them",
          maxlength: 128,
          required: true,
          value: search.typed ?? search.id ?? "",
          oninput: actions.typeUser,
        }),
        h("button", { class: "main" }, "Find"),
      ),
      h("div", { class: "saying", "aria-live": "polite" }, search.said && h("p", { class: `card said ${search.isBad ? "bad" : ""}` }, search.said)),
    ),
    ...(search.user ? found(search, now, actions) : []),
  ];
}

function found(search, now, actions) {
  const { user, deliveries, cursor } = search;
  const { window } = user;
  return [
    h(
      "section",
      { class: "card", key: "user" },
      heading(user.user, h("button", { type: "button", class: "small danger", onclick: () => actions.askForget(user) }, "Forget…")),
      h(
        "dl",
        { class: "facts" },
        fact("Shard", user.shard),
        fact("Owner", user.owner ?? "nobody now"),
        fact("Window", window ? [h("code", {}, window.id), ` since ${date(window.opened_at)}, closes ${until(window.closes_at, now)}`] : "none is open"),
        fact("Waiting", `${plural(user.buffered.deliveries, "delivery", "deliveries")}, ${bytes(user.buffered.bytes)}`),
      ),
    ),
    h("section", { key: "devices" }, heading("Devices"), h("div", { class: "card" }, devices(user.devices, now, actions))),
    h(
      "section",
      { key: "deliveries" },
      heading("Deliveries"),
      h("div", { class: "card" }, list(search, deliveries, now, actions), cursor && h("button", { type: "button", onclick: actions.more }, "Show more")),
    ),
  ];
}

function devices(rows, now, actions) {
  const columns = [
    { key: "device", label: "Device", sort: (one) => one.device, cell: (one) => h("b", {}, one.device) },
    { key: "node", label: "Connected to", sort: (one) => one.node, cell: (one) => one.node ?? "a node that is gone" },
    { key: "visible", label: "Visible", sort: (one) => String(one.visible), cell: (one) => (one.visible ? "yes" : "no") },
    { key: "since", label: "Since", sort: (one) => one.connected_at, cell: (one) => date(one.connected_at) },
    {
      key: "lease",
      label: "Connection",
      sort: (one) => one.lease_until ?? 0,
      cell: (one) =>
        one.lease_until
          ? h("span", { class: "badge busy" }, `lost, keeps what it holds ${until(one.lease_until, now)}`)
          : h("span", { class: "badge good" }, "open"),
    },
  ];
  return table({
    id: "devices",
    caption: "Devices of the user",
    columns,
    rows,
    rowKey: (one) => one.device,
    sorts: actions.sorts,
    empty: "No device is connected: what is published waits.",
  });
}

const SETTLED = ["completed", "dismissed", "expired", "withdrawn", "dropped"];
/** A delivery among the others of its user. */
export const keyOf = (one) => `${one.id} ${one.window} ${one.device ?? ""}`;

function list(search, rows, now, actions) {
  const columns = [
    {
      key: "id",
      label: "Engagement",
      sort: (one) => one.id,
      cell: (one) => [h("b", {}, one.id), one.device && h("span", { class: "hint" }, `on ${one.device}`)],
    },
    {
      key: "state",
      label: "State",
      sort: (one) => one.state,
      cell: (one) => [badge(one.state), one.reason && h("span", { class: "hint" }, one.reason.replaceAll("_", " "))],
    },
    { key: "step", label: "Step", number: true, sort: (one) => one.step / one.steps, cell: (one) => `${one.step} of ${one.steps}` },
    { key: "offers", label: "Offers", number: true, sort: (one) => one.offers ?? null, cell: (one) => (one.offers === undefined ? "" : count(one.offers)) },
    { key: "holders", label: "On the screen of", sort: (one) => one.holders?.join(" ") ?? null, cell: (one) => one.holders?.join(", ") ?? "" },
    {
      key: "published",
      label: "Published",
      sort: (one) => one.published_at ?? null,
      cell: (one) => (one.published_at === undefined ? "" : date(one.published_at)),
    },
    { key: "ends", label: "Ends", sort: (one) => one.settled_at ?? one.expires_at ?? null, cell: (one) => ends(one, now) },
    { key: "act", label: h("span", { class: "unseen" }, "Actions"), cell: (one) => buttons(search, one, actions) },
  ];
  return table({
    id: "deliveries",
    caption: "Deliveries of the user",
    columns,
    rows,
    rowKey: keyOf,
    detail: (one) => search.open.has(keyOf(one)) && timeline(search.timelines.get(one.id)),
    sorts: actions.sorts,
    first: { key: "published", descending: true },
    empty: "Nothing was published for this user in an open window.",
  });
}

function ends(one, now) {
  if (one.settled_at !== undefined) return `settled ${date(one.settled_at)}`;
  if (one.waits_until !== undefined && one.waits_until > now) return `waits until ${date(one.waits_until)}`;
  return one.expires_at === undefined ? "" : until(one.expires_at, now);
}

function buttons(search, one, actions) {
  const isOpen = search.open.has(keyOf(one));
  return h(
    "span",
    { class: "buttons" },
    h(
      "button",
      {
        type: "button",
        class: "small",
        "aria-expanded": String(isOpen),
        "aria-label": `Timeline of ${one.id}`,
        onclick: () => actions.toggleTimeline(one),
        key: "timeline",
      },
      "Timeline",
    ),
    !SETTLED.includes(one.state) &&
      h(
        "button",
        { type: "button", class: "small danger", "aria-label": `Withdraw ${one.id}`, onclick: () => actions.askWithdraw(one), key: "withdraw" },
        "Withdraw…",
      ),
  );
}

function timeline(events) {
  if (!events) return h("p", { class: "hint" }, "Reading…");
  if (events.length === 0) return h("p", { class: "hint" }, "What happened is no longer kept.");
  const from = events[0].at;
  return h(
    "ol",
    { class: "timeline" },
    events.map((event, index) =>
      h(
        "li",
        { key: index, class: event.outcome },
        h("time", { title: date(event.at) }, index === 0 ? date(event.at) : time(event.at)),
        h("b", {}, event.outcome.replaceAll("_", " ")),
        event.step > 0 && h("span", {}, `step ${event.step}`),
        event.device && h("span", {}, `on ${event.device}`),
        event.reason && h("span", { class: "hint" }, event.reason.replaceAll("_", " ")),
        index > 0 && h("span", { class: "hint" }, `+${event.at - from < 1_000 ? `${event.at - from} ms` : span(event.at - from)}`),
      ),
    ),
  );
}
