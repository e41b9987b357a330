// A survey: a question a step. The next one comes when the server has confirmed the answer to this one, so that what is asked here is what would be asked anywhere else.

import { by, h, icon, say } from "./dom.js";

const THANKS_MS = 1_800;

/** See above. */
export class Survey {
  #delivery;
  #done;
  #isOpen;
  #note = h("p", { class: "card-note", role: "status" });
  #body = h("div", { class: "card-body" });
  #bar = h("div", { class: "card-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "Done so far" }, h("i"));
  #isWaiting = false;
  #resumed = null;

  constructor({ delivery, isOpen, done }) {
    [this.#delivery, this.#isOpen, this.#done] = [delivery, isOpen, done];
    const title = h("h2", { id: `title-${delivery.id}` }, delivery.payload.title);
    const close = h("button", { type: "button", class: "quiet", "aria-label": "Not now", onclick: () => this.#dismiss() }, icon("kill"));
    if (delivery.resumed) this.#resumed = h("p", { class: "resumed" }, icon("repeat"), "Picked up where you left off");
    this.element = h(
      "section",
      { class: "card survey", role: "dialog", "aria-labelledby": title.id, "data-delivery": delivery.id },
      h("header", { class: "card-top" }, title, close),
      this.#bar,
      this.#resumed,
      this.#body,
      this.#note,
    );
    by("screen").append(this.element);
    this.#ask();
  }

  /** There is a connection, or none. */
  connection(isOpen) {
    this.#isOpen = isOpen;
    this.#tellWaiting();
  }

  /** Another device went on. */
  progress() {
    this.#ask();
    say(this.#note, "Went on, on your other device");
  }

  remove() {
    this.element.remove();
  }

  #ask() {
    const { nextStep, steps, payload } = this.#delivery;
    const question = payload.questions[nextStep - 1];
    if (!question) return this.#thank();
    this.#wait(false);
    this.#fill(nextStep - 1, steps);
    const choose = (value, button) => this.#answer(question, value, button);
    this.#body.replaceChildren(
      h("p", { class: "card-count" }, `Question ${nextStep} of ${steps}`),
      h("p", { class: "card-question" }, question.text),
      question.type === "scale" ? scale(question, choose) : choice(question, choose),
    );
  }

  async #answer(question, value, button) {
    if (this.#isWaiting) return;
    button.setAttribute("aria-pressed", "true");
    this.#wait(true);
    const { nextStep, data } = this.#delivery;
    try {
      const confirmed = await this.#delivery.step(nextStep, { ...data, [question.name]: value });
      this.#resumed?.remove();
      if (confirmed.settled) this.#thank();
      else this.#ask();
    } catch {
      // Withdrawn meanwhile: then it is on its way off the screen.
      this.#wait(false);
    }
  }

  async #dismiss() {
    if (this.#isWaiting) return;
    this.#wait(true);
    await this.#delivery.dismiss().catch(() => {});
    this.#done();
  }

  #thank() {
    this.#wait(false);
    this.#fill(1, 1);
    this.#body.replaceChildren(h("div", { class: "thanks" }, h("span", { class: "tick" }, icon("check")), h("p", {}, "Thank you!"), h("small", {}, "Confirmed. You won’t be asked again.")));
    setTimeout(() => this.#done(), THANKS_MS);
  }

  #fill(done, all) {
    const percent = Math.round((done / all) * 100);
    this.#bar.setAttribute("aria-valuenow", String(percent));
    this.#bar.firstChild.style.inlineSize = `${percent}%`;
  }

  #wait(isWaiting) {
    this.#isWaiting = isWaiting;
    this.element.toggleAttribute("data-waiting", isWaiting);
    this.#tellWaiting();
  }

  #tellWaiting() {
    if (!this.#isWaiting) say(this.#note, "");
    else say(this.#note, this.#isOpen ? "Waiting for the confirm…" : "No network: the answer is kept, and goes out first");
  }
}

function scale({ text, low, high, points }, choose) {
  const buttons = Array.from({ length: points }, (_, at) => {
    const value = at + 1;
    return h("button", { type: "button", class: "point", "aria-label": `${value} of ${points}`, onclick: (event) => choose(value, event.currentTarget) }, String(value));
  });
  return h("div", {}, h("div", { class: "scale", role: "group", "aria-label": text }, buttons), h("div", { class: "scale-ends", "aria-hidden": "true" }, h("span", {}, low), h("span", {}, high)));
}

function choice({ text, options }, choose) {
  const button = (option) => h("button", { type: "button", class: "option", onclick: (event) => choose(option, event.currentTarget) }, option);
  return h("div", { class: "options", role: "group", "aria-label": text }, options.map(button));
}
