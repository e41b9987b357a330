// The way in: a key is asked for and checked. It stands in the document only while it is typed.

import { Api, Refused } from "./api.js";
import { h } from "./dom.js";

/** What is said to a key that does not get in; each names what is missing. */
export function refusal(error) {
  if (!(error instanceof Refused)) return "The node doesn't answer. Is it running?";
  if (error.status === 401)
    return "No node of this cluster knows this key. Keys stand in auth.api_keys; a node that made its own keeps it in secrets.toml in its data directory.";
  if (error.status === 403) return `This key is known, but it is not enough: ${error.message}. Keys and their roles stand in auth.api_keys.`;
  return `The node answered ${error.status}: ${error.message}`;
}

/** Checks a key: gives the API that speaks with it, or throws. */
export async function enter(base, key) {
  const api = new Api(base, key);
  await api.get("v1/cluster");
  return api;
}

/** The form. `state`: `{said, isBusy}`; `submit` gets the event. */
export function login(state, submit) {
  return h(
    "form",
    { class: "card login", onsubmit: submit, key: "login", "aria-labelledby": "login-title" },
    h("h1", { id: "login-title" }, h("span", { class: "mark", "aria-hidden": "true" }), "engage console"),
    h("p", { class: "hint" }, "For operators: how the cluster does, and what to do about it."),
    // Password managers file a key under a name.
    h("input", {
      class: "unseen",
      type: "text",
      name: "username",
      autocomplete: "username",
      value: "engage console",
      tabindex: -1,
      "aria-hidden": "true",
      readonly: true,
    }),
    h("label", { for: "key" }, "API key of role ", h("code", {}, "admin")),
    h("input", {
      id: "key",
      name: "key",
      type: "password",
      autocomplete: "current-password",
      autocapitalize: "off",
      spellcheck: "false",
      required: true,
      autofocus: true,
      maxlength: 1024,
      "aria-describedby": "login-said",
    }),
    h("p", { id: "login-said", role: "alert", class: "bad" }, state.said ?? ""),
    h("button", { class: "main", disabled: state.isBusy }, state.isBusy ? "Checking…" : "Log in"),
    h("p", { class: "hint small" }, "It is kept in this tab alone, until you log out or close it, and sent to this node only."),
  );
}
