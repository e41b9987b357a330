// Questions before something is done that can't be taken back at once, and the answer to it.

import { h } from "./dom.js";
import { plural } from "./format.js";

const path = (...parts) => parts.map(encodeURIComponent).join("/");

/** Drains a node. */
export function drain(node) {
  return {
    title: `Drain ${node.name}?`,
    verb: `Drain ${node.name}`,
    text: [
      `Its ${plural(node.leaders, "leader")} move to other nodes, and its ${plural(node.connections ?? 0, "client")} are told to connect elsewhere. It keeps its replicas.`,
      "A restart of the node ends the drain.",
    ],
    act: (api) => api.call("POST", `v1/cluster/nodes/${path(node.name)}/drain`),
    done: () => null,
  };
}

/** Takes a node out for good. */
export function remove(node) {
  return {
    title: `Remove ${node.name} for good?`,
    verb: `Remove ${node.name}`,
    typed: node.name,
    isDanger: true,
    text: [
      `Other nodes take over its ${plural(node.replicas, "replica")}. Its id is never used again: to come back, it must join with an empty data directory.`,
    ],
    act: (api) => api.call("DELETE", `v1/cluster/nodes/${path(node.name)}`),
    done: () => `${node.name} is being taken out: it goes from the list when no shard has a replica on it.`,
  };
}

/** Withdraws a delivery. */
export function withdraw(user, delivery) {
  return {
    title: `Withdraw ${delivery.id}?`,
    verb: "Withdraw it",
    isDanger: true,
    text: [`${user} is not offered it any more${delivery.holders?.length ? `, and it goes from the screen of ${delivery.holders.join(", ")}` : ""}.`],
    act: (api) => api.call("DELETE", `v1/users/${path(user)}/engagements/${path(delivery.id)}`),
    done: ({ state, reason, step }) =>
      state === "withdrawn"
        ? `${delivery.id} is withdrawn, at step ${step}.`
        : `${delivery.id} was settled before: ${state.replaceAll("_", " ")}${reason ? `, ${reason.replaceAll("_", " ")}` : ""}, step ${step}.`,
  };
}

/** Forgets a user. */
export function forget(user) {
  return {
    title: `Forget ${user.user}?`,
    verb: "Forget",
    typed: user.user,
    isDanger: true,
    text: [
      `All that is known of this user goes: the window, ${plural(user.buffered.deliveries, "delivery", "deliveries")} that wait, and what was seen, so that it may be shown again. Open connections are closed.`,
    ],
    act: (api) => api.call("DELETE", `v1/users/${path(user.user)}`),
    done: () => `${user.user} is forgotten.`,
  };
}

/** What stands in the dialog. `state`: `{question, typed, isBusy, said, isDone}`; `actions`: `{type, confirm, close}`. */
export function dialog(state, actions) {
  const { question, typed, isBusy, said, isDone } = state;
  const { title, text, verb, typed: wanted, isDanger } = question;
  const isReady = !isBusy && (!wanted || typed === wanted);
  return h(
    "form",
    { onsubmit: actions.confirm, key: title },
    h("h2", { id: "question" }, title),
    h("div", { id: "consequences" }, !isDone && text.map((line, index) => h("p", { key: index }, line))),
    wanted &&
      !isDone &&
      h(
        "p",
        {},
        h("label", { for: "typed" }, "Type ", h("code", {}, wanted), " to go on"),
        h("input", { id: "typed", autocomplete: "off", autocapitalize: "off", spellcheck: "false", oninput: actions.type }),
      ),
    h("p", { role: "alert", class: isDone ? "done" : "bad" }, said ?? ""),
    h(
      "div",
      { class: "buttons" },
      h("button", { type: "button", onclick: actions.close, key: "close" }, isDone ? "Close" : "Cancel"),
      !isDone && h("button", { class: isDanger ? "main danger" : "main", disabled: !isReady, key: "go" }, isBusy ? "…" : verb),
    ),
  );
}
