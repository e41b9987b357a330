// Draws the wires from each device to the node that it is on, and what runs along them.

import { on } from "./bus.js";
import { by, mark, svg } from "./dom.js";

const RUN_MS = 520;
const LOST_STAYS_MS = 1_600;
/** Of no interest to an onlooker. */
const SILENT = new Set(["ping", "pong", "caught_up", "visible", "token", "window"]);

/** See above. */
export class Wires {
  #devices = new Map();
  #lines = new Map();
  #layer = by("wires");

  constructor() {
    on("state", ({ devices }) => {
      for (const { lines } of devices) for (const { node, url } of lines) this.#lines.set(url, node);
      this.#draw();
    });
    on("device", ({ device, state }) => {
      const node = state.name === "open" ? state.node : state.name === "connecting" ? (this.#lines.get(state.url) ?? null) : null;
      this.#wire(device).node = node;
      this.#wire(device).isOpen = state.name === "open";
      this.#draw();
    });
    on("tabKilled", ({ device }) => this.#lay(device));
    on("traffic", ({ device, traffic }) => this.#run(device, traffic));
    new ResizeObserver(() => this.#draw()).observe(by("stage"));
  }

  #wire(device) {
    if (!this.#devices.has(device)) {
      const path = svg("path", { class: `wire wire-${device}` });
      this.#layer.append(path);
      this.#devices.set(device, { path, node: null, isOpen: false });
    }
    return this.#devices.get(device);
  }

  #lay(device) {
    this.#wire(device).node = null;
    this.#draw();
  }

  #draw() {
    const stage = by("stage").getBoundingClientRect();
    this.#layer.setAttribute("viewBox", `0 0 ${stage.width} ${stage.height}`);
    for (const [device, { path, node, isOpen }] of this.#devices) {
      const from = document.getElementById(`caption-${device}`)?.getBoundingClientRect();
      const to = node && document.getElementById(`node-${node}`)?.getBoundingClientRect();
      mark(path, "data-open", isOpen);
      if (!from || !to) {
        path.removeAttribute("d");
        continue;
      }
      const [x1, y1] = [from.left + from.width / 2 - stage.left, from.top - stage.top];
      // Two devices on one node: side by side.
      const shift = device === "phone" ? -14 : 14;
      const [x2, y2] = [to.left + to.width / 2 + shift - stage.left, to.bottom - stage.top];
      const bend = (y1 - y2) * 0.55;
      path.setAttribute("d", `M${x1} ${y1}C${x1} ${y1 - bend} ${x2} ${y2 + bend} ${x2} ${y2}`);
    }
  }

  /** A dot for a message: up from the device, or down to it. One that was lost ends halfway. */
  #run(device, { direction, message, isLost }) {
    const { path } = this.#wire(device);
    if (SILENT.has(message.type) || !path.getAttribute("d") || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const dot = svg("circle", { class: "dot", r: "5", "data-type": isLost ? "lost" : message.type });
    this.#layer.append(dot);
    const length = path.getTotalLength();
    const start = performance.now();
    const step = (time) => {
      // The wire may be gone by now, and the message with it.
      if (!path.getAttribute("d")) return isLost ? undefined : dot.remove();
      const done = Math.min((time - start) / RUN_MS, 1);
      const way = direction === "out" ? done : 1 - done;
      const at = path.getPointAtLength(Math.max(0, isLost ? Math.max(way, 0.5) : way) * length);
      dot.setAttribute("cx", at.x);
      dot.setAttribute("cy", at.y);
      if (done < 1) requestAnimationFrame(step);
      else if (!isLost) dot.remove();
    };
    requestAnimationFrame(step);
    if (isLost) setTimeout(() => dot.remove(), LOST_STAYS_MS);
  }
}
