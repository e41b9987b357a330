// The form with every option of a publish. What is left empty is left out: then the node's default holds.

import { h } from "./dom.js";
import { KINDS } from "./kinds.js";

const SCOPES = [["", "one for the person"], ["device", "one for each device"]];
const TARGETS = [["", "the device looked at"], ["all", "all devices at once"]];
const SETTLE = [["", "by the number of steps"], ["shown", "shown"], ["completed", "completed"]];

/** Fills a form. `publish` is called with kind, id and options. */
export function optionsForm(form, { freeId, publish }) {
  const kind = select("Kind", "kind", Object.entries(KINDS).map(([value, { name }]) => [value, name]));
  const id = text("Id", "id", { placeholder: "survey-1" });
  const number = (label, name, attributes) => field(label, h("input", { name, type: "number", placeholder: "0", ...attributes }));
  form.append(
    kind,
    id,
    select("Scope", "scope", SCOPES),
    select("Targets", "targets", TARGETS),
    text("Window", "window", { placeholder: "the session’s" }),
    text("Time to live", "ttl", { placeholder: "as its window" }),
    select("Settles when", "settle_on", SETTLE),
    text("Snooze", "snooze", { placeholder: "none" }),
    number("Priority", "priority", { min: -100, max: 100 }),
    number("Most offers", "max_offers", { min: 0, placeholder: "no limit" }),
    h("button", { type: "submit", class: "button primary" }, "Publish"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { kind: chosen, id: given, ...options } = Object.fromEntries(new FormData(form));
    publish(chosen, given.trim() || freeId(chosen), cleaned(options));
  });
}

function cleaned(options) {
  const given = Object.entries(options).filter(([, value]) => value.trim() !== "");
  return Object.fromEntries(given.map(([name, value]) => [name, ["priority", "max_offers"].includes(name) ? Number(value) : value.trim()]));
}

function field(label, control) {
  control.id = `field-${control.name}`;
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control);
}

function text(label, name, attributes) {
  return field(label, h("input", { name, type: "text", autocomplete: "off", spellcheck: "false", ...attributes }));
}

function select(label, name, choices) {
  return field(label, h("select", { name }, choices.map(([value, title]) => h("option", { value }, title))));
}
