// The messages of both wires, word for word, for the curious. Bounded: the oldest go.

import { on } from "./bus.js";
import { by, h } from "./dom.js";

const LINES_MAX = 300;

/** See above. */
export class TrafficLog {
  constructor() {
    on("traffic", ({ device, traffic }) => this.#add(device, traffic));
  }

  #add(device, { direction, message, isLost, at }) {
    const frame = by("log").parentElement;
    const wasAtEnd = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 8;
    const time = new Date(at).toISOString().slice(11, 23);
    const { type, ...rest } = message;
    const arrow = direction === "out" ? "→" : "←";
    const told = direction === "out" ? "sends" : "gets";
    by("log").append(
      h(
        "li",
        { "data-device": device, "data-type": isLost ? "lost" : type },
        h("time", {}, time),
        h("span", { class: "log-device" }, device, h("span", { class: "unseen" }, ` ${told} `)),
        h("span", { class: "log-arrow", "aria-hidden": "true" }, arrow),
        h("b", {}, isLost ? `${type} (lost)` : type),
        h("code", {}, JSON.stringify(rest)),
      ),
    );
    while (by("log").children.length > LINES_MAX) by("log").firstChild.remove();
    if (wasAtEnd) frame.scrollTop = frame.scrollHeight;
  }
}
