// A tour: a mark beside something of the app, a stop a step.

import { by, h, icon, say } from "./dom.js";

const GAP = 12;
const EDGE = 10;

/** See above. */
export class Tour {
  #delivery;
  #done;
  #isOpen;
  #isWaiting = false;
  #light = h("div", { class: "spotlight", "aria-hidden": "true" });
  #mark = h("div", { class: "mark" });
  #note = h("p", { class: "card-note", role: "status" });
  #replace = () => this.#place();

  constructor({ delivery, isOpen, done }) {
    [this.#delivery, this.#isOpen, this.#done] = [delivery, isOpen, done];
    this.element = h("section", { class: "tour", role: "dialog", "aria-label": delivery.payload.title, "data-delivery": delivery.id }, this.#light, this.#mark);
    by("screen").append(this.element);
    addEventListener("resize", this.#replace);
    this.#show();
  }

  connection(isOpen) {
    this.#isOpen = isOpen;
    this.#tellWaiting();
  }

  progress() {
    this.#show();
  }

  remove() {
    removeEventListener("resize", this.#replace);
    this.element.remove();
  }

  #stop() {
    return this.#delivery.payload.stops[this.#delivery.nextStep - 1];
  }

  #show() {
    const { nextStep, steps, resumed } = this.#delivery;
    const stop = this.#stop();
    if (!stop) return this.#done();
    this.#isWaiting = false;
    const isLast = nextStep === steps;
    this.#mark.replaceChildren(
      h("p", { class: "card-count" }, `${nextStep} of ${steps}`, resumed ? h("span", { class: "resumed-small" }, icon("repeat"), "picked up") : null),
      h("h2", {}, stop.title),
      h("p", {}, stop.text),
      this.#note,
      h(
        "div",
        { class: "mark-buttons" },
        h("button", { type: "button", class: "quiet", onclick: () => this.#say(() => this.#delivery.dismiss()) }, "Skip"),
        h("button", { type: "button", class: "go", onclick: () => this.#say(() => this.#delivery.step(nextStep)) }, isLast ? "Done" : "Next"),
      ),
    );
    this.#tellWaiting();
    this.#place();
  }

  async #say(what) {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#tellWaiting();
    try {
      const confirmed = await what();
      if (confirmed.settled || this.element.isConnected === false) this.#done();
      else if (confirmed.state === "in_progress") this.#show();
      // Snoozed: it comes back by itself.
      else this.#done();
    } catch {
      this.#isWaiting = false;
    }
  }

  #tellWaiting() {
    this.element.toggleAttribute("data-waiting", this.#isWaiting);
    if (!this.#isWaiting) say(this.#note, "");
    else say(this.#note, this.#isOpen ? "Waiting for the confirm…" : "No network: kept, and sent first");
  }

  /** Beside its stop: below where there is room, else above; never beyond the edges. */
  #place() {
    const stop = this.#stop();
    const target = stop && document.querySelector(`[data-stop="${CSS.escape(stop.at)}"]`);
    if (!target) return;
    const around = target.getBoundingClientRect();
    set(this.#light, { left: around.left - 6, top: around.top - 6, width: around.width + 12, height: around.height + 12 });
    const { offsetWidth: width, offsetHeight: height } = this.#mark;
    const left = Math.min(Math.max(around.left + around.width / 2 - width / 2, EDGE), innerWidth - width - EDGE);
    const isBelow = around.bottom + GAP + height < innerHeight - EDGE;
    const top = isBelow ? around.bottom + GAP : Math.max(around.top - GAP - height, EDGE);
    set(this.#mark, { left, top });
    this.#mark.classList.toggle("above", !isBelow);
    this.#mark.style.setProperty("--tip", `${Math.round(around.left + around.width / 2 - left)}px`);
  }
}

function set(element, place) {
  for (const [name, value] of Object.entries(place)) element.style[name] = `${Math.round(value)}px`;
}
