// What a device shows: one card at a time, banners, toasts. The client says what and when; nothing here decides whether something was seen before.

import { Banner } from "./banner.js";
import { by, h, icon } from "./dom.js";
import { Survey } from "./survey.js";
import { Tour } from "./tour.js";

const TOAST_MS = 5_000;
const CARDS = { survey: Survey, tour: Tour, banner: Banner };

const GONE = {
  moved: "Goes on, on your other device",
  done_elsewhere: "Done on your other device",
  withdrawn: "Withdrawn by its publisher",
  expired: "Its time was up",
};

/** See above. */
export class Screen {
  #isOpen = false;
  /** What is on the screen. */
  #cards = new Set();

  /** The client connects, waits, is open. */
  connection(name) {
    this.#isOpen = name === "open";
    for (const card of this.#cards) card.connection?.(this.#isOpen);
  }

  /** Shows a delivery until it is done with, here or elsewhere. */
  offer(delivery) {
    const Card = CARDS[delivery.payload?.kind];
    if (!Card) return this.#unknown(delivery);
    const card = new Card({ delivery, isOpen: this.#isOpen, done: () => this.#remove(card) });
    this.#cards.add(card);
    delivery.on("withdraw", (reason) => {
      this.#remove(card);
      if (GONE[reason]) this.#toast("undo", GONE[reason]);
    });
    delivery.on("progress", () => card.progress?.());
    // Unanswered as long as there is no connection; then it is sent again by itself.
    delivery.shown().catch(() => {});
  }

  /** Shows what is worth nothing later. */
  notice(notice) {
    this.#toast("notice", notice.payload?.text ?? notice.id);
    notice.seen();
  }

  /** Anything may be published: what this app can't draw, it shows as it is. */
  #unknown(delivery) {
    this.#toast("survey", `${delivery.id}: ${JSON.stringify(delivery.payload)}`);
    delivery.complete().catch(() => {});
  }

  #remove(card) {
    if (!this.#cards.delete(card)) return;
    card.element.classList.add("leaves");
    card.element.inert = true;
    const leave = () => card.remove();
    card.element.addEventListener("animationend", leave, { once: true });
    setTimeout(leave, 400);
  }

  #toast(name, text) {
    const toast = h("div", { class: "toast" }, icon(name), h("span", {}, text));
    by("toasts").append(toast);
    setTimeout(() => toast.remove(), TOAST_MS);
  }
}
