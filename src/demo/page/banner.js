// A banner: that it was shown is the end of it, unless the publisher says otherwise. It stays until the person closes it, or some time has passed.

import { by, h, icon } from "./dom.js";

const STAYS_MS = 12_000;

/** See above. */
export class Banner {
  #delivery;
  #done;

  constructor({ delivery, done }) {
    [this.#delivery, this.#done] = [delivery, done];
    const { text, detail } = delivery.payload;
    this.element = h(
      "section",
      { class: "banner", "aria-label": "Banner", "data-delivery": delivery.id },
      h("div", {}, h("b", {}, text), detail ? h("span", {}, detail) : null),
      h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.#close() }, icon("kill")),
    );
    by("banners").append(this.element);
    if (delivery.settleOn === "shown") {
      // It is done with as soon as it was seen; what comes next need not wait until it is closed.
      delivery.on("confirm", ({ settled }) => settled && delivery.close());
      setTimeout(() => this.#done(), STAYS_MS);
    }
  }

  remove() {
    this.element.remove();
  }

  #close() {
    if (this.#delivery.settleOn === "completed") this.#delivery.complete().catch(() => {});
    else this.#delivery.close();
    this.#done();
  }
}
