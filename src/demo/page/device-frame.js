// One device on the page: its frame, its caption, its buttons. The client itself runs inside the frame (device.js).

import { h, icon, mark, say } from "./dom.js";
import { isSettled } from "./kept.js";

const NAMES = { phone: "Phone", laptop: "Laptop" };
const DRAW_EVERY_MS = 100;

/** See above. */
export class Device {
  #name;
  #frame = null;
  #isLookedAt = false;
  #client = { name: "connecting" };
  #leaseMs = 0;
  /** Deliveries that it holds, as far as its wire told: `window/id`. */
  #holds = new Set();
  /** Since when the server hears nothing of it. */
  #lostAt = null;
  #pending = 0;
  isCut = false;
  #willLose = false;

  constructor(name, { look, toggleNetwork, lose, kill, open }) {
    this.#name = name;
    const button = (what, symbol, run) => h("button", { type: "button", class: "button small", "data-do": what, onclick: run }, icon(symbol), h("span", {}));
    this.buttons = {
      look: button("look", "eye", look),
      network: button("network", "offline", toggleNetwork),
      lose: button("lose", "lose", () => this.#arm(lose)),
      tab: button("tab", "kill", () => (this.#isAlive() ? kill() : open())),
    };
    this.status = h("span", { class: "pill", role: "status" });
    this.note = h("p", { class: "device-note", role: "status" });
    this.screen = h("div", { class: "screen" });
    this.element = h(
      "figure",
      { class: `device device-${name}`, id: `device-${name}`, "aria-label": NAMES[name] },
      h("figcaption", { class: "caption", id: `caption-${name}` }, h("span", { class: "device-name" }, icon(name), NAMES[name]), this.status),
      h("div", { class: "body" }, this.screen),
      h("div", { class: "device-buttons", role: "group", "aria-label": `What happens to the ${name}` }, Object.values(this.buttons)),
      this.note,
    );
    setInterval(() => this.#draw(), DRAW_EVERY_MS);
  }

  /** The window of the frame, while there is one. */
  get window() {
    return this.#frame?.contentWindow ?? null;
  }

  /** Opens the tab, anew. */
  open({ isLookedAt = this.#isLookedAt }) {
    this.#isLookedAt = isLookedAt;
    this.#client = { name: "connecting" };
    const wishes = new URLSearchParams({ device: this.#name, visible: String(isLookedAt) });
    this.#frame = h("iframe", { src: `/device.html?${wishes}`, title: `The shop’s app on the ${this.#name}` });
    this.screen.replaceChildren(this.#frame);
    this.#draw();
  }

  /** Takes the tab away. */
  kill() {
    this.#frame?.remove();
    this.#frame = null;
    this.#willLose = false;
    this.#pending = 0;
    this.#goes();
    this.screen.replaceChildren(h("div", { class: "dead-tab" }, icon("kill"), h("b", {}, "This tab was killed"), h("span", {}, "Without a goodbye. What it had not heard confirmed is in its storage.")));
    this.#draw();
  }

  /** Tells the client's page to do something. */
  order(order, more = {}) {
    this.window?.postMessage({ order, ...more }, location.origin);
  }

  look(isLookedAt) {
    this.#isLookedAt = isLookedAt;
    this.order("visible", { visible: isLookedAt });
    this.#draw();
  }

  network({ isCut, leaseMs = this.#leaseMs }) {
    [this.isCut, this.#leaseMs] = [isCut, leaseMs];
    this.#draw();
  }

  /** The client's state. */
  client(state) {
    if (this.#client.name === "open" && state.name !== "open") this.#goes();
    if (state.name === "open") this.#lostAt = null;
    this.#client = state;
    this.#draw();
  }

  pending(count) {
    this.#pending = count;
  }

  lost() {
    this.#willLose = false;
  }

  /** What went over its wire: enough to know what it holds. */
  hear({ direction, message }) {
    if (direction === "out") return;
    const key = `${message.window}/${message.id}`;
    if (message.type === "offer") this.#holds.add(key);
    if (message.type === "withdraw" || (message.type === "confirm" && isSettled(message.state))) this.#holds.delete(key);
  }

  /** Whether there is something to kill: a client that will not connect again by itself can only be opened anew. */
  #isAlive() {
    return this.#frame !== null && this.#client.name !== "closed";
  }

  #arm(lose) {
    this.#willLose = true;
    lose();
    this.#draw();
  }

  #goes() {
    this.#lostAt ??= performance.now();
  }

  #draw() {
    const isAlive = this.#isAlive();
    mark(this.element, "data-looked", this.#isLookedAt);
    mark(this.element, "data-connection", this.#connection());
    mark(this.status, "data-is", this.#connection());
    say(this.status, this.#statusText());
    say(this.note, this.#noteText());
    const { look, network, lose, tab } = this.buttons;
    this.#label(look, this.#isLookedAt ? "Looked at" : "Look at it", "eye");
    mark(look, "aria-pressed", String(this.#isLookedAt));
    this.#label(network, this.isCut ? "Go online" : "Go offline", this.isCut ? "online" : "offline");
    mark(network, "aria-pressed", String(this.isCut));
    this.#label(lose, this.#willLose ? "Will be lost" : "Lose the ack", "lose");
    mark(lose, "aria-pressed", String(this.#willLose));
    lose.disabled = !isAlive || this.#willLose;
    this.#label(tab, isAlive ? "Kill this tab" : "Open it again", isAlive ? "kill" : "back");
  }

  #label(button, text, symbol) {
    if (button.dataset.icon !== symbol) {
      button.dataset.icon = symbol;
      button.firstChild.replaceWith(icon(symbol));
    }
    say(button.lastChild, text);
  }

  #connection() {
    if (!this.#frame) return "dead";
    if (this.isCut && this.#client.name !== "open") return "offline";
    return this.#client.name;
  }

  #statusText() {
    const { name, node, retryAt, reason, code } = this.#client;
    const again = retryAt ? `, tries again in ${(Math.max(0, retryAt - Date.now()) / 1000).toFixed(1)} s` : "";
    switch (this.#connection()) {
      case "dead":
        return "tab is dead";
      case "offline":
        return `offline${name === "waiting" ? again : ""}`;
      case "open":
        return `open, on ${node}`;
      case "waiting":
        return `waiting${again}`;
      case "closed":
        return code === "replaced" ? "taken over by another page" : `closed: ${reason}`;
      default:
        return "connecting";
    }
  }

  #noteText() {
    if (this.#willLose) return "The next confirm will be lost, and the line with it. Answer something.";
    const leftMs = this.#lostAt === null ? 0 : this.#leaseMs - (performance.now() - this.#lostAt);
    if (this.#holds.size > 0 && leftMs > 0) return `It keeps what it held for ${(leftMs / 1000).toFixed(1)} s more: it may only be a tunnel.`;
    if (this.#pending > 0 && this.#client.name !== "open") return `${this.#pending} without a confirm: goes out with the next hello.`;
    return "";
  }
}
