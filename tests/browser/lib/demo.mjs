// A real `engage demo`, and a page of it.

import assert from "node:assert/strict";
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { Process, clear, home } from "./process.mjs";
import { until } from "./wait.mjs";

export class Demo {
  #home;
  #process;

  constructor(process, directory, url) {
    this.#process = process;
    this.#home = directory;
    this.url = url;
  }

  /** Ends it in good order; with which code. */
  async end() {
    // Ended twice, it is asked once.
    if (this.#process.isRunning) this.#process.signal("SIGTERM");
    const code = await this.#process.over();
    clear(this.#home);
    return code;
  }
}

/** Starts a demo on any free port, with a temporary folder of its own. */
export async function startDemo() {
  const directory = home();
  const temporary = join(directory, "tmp");
  mkdirSync(temporary);
  const process = new Process({ args: ["demo", "--no-open"], environment: { RUST_BACKTRACE: "1", TMPDIR: temporary }, home: directory });
  const url = await until(
    () => `the demo starts; it said:\n${process.log()}`,
    () => {
      if (!process.isRunning) throw new Error(`the demo ended by itself; it said:\n${process.log()}`);
      return process.log().match(/^http:\/\/127\.0\.0\.1:\d+$/m)?.[0];
    },
  );
  return new Demo(process, directory, url);
}

/** The demo's page, as a person has it before them. */
export class DemoPage {
  constructor(page) {
    this.page = page;
  }

  /** Opens it, with nothing left of what was done before, and waits until both devices are connected. */
  static async open(context, url) {
    const press = (path) => context.request.post(`${url}/demo/${path}`, { headers: { origin: url } });
    await Promise.all([press("devices/phone/mend"), press("devices/laptop/mend")]);
    assert.equal((await press("forget")).status(), 204);
    const demo = new DemoPage(await context.newPage());
    await demo.page.goto(url);
    await demo.connected("phone", "laptop");
    return demo;
  }

  /** Presses *Start over*, and waits until that is so. */
  async startOver() {
    const loaded = this.page.waitForEvent("load");
    await this.page.getByRole("button", { name: "Start over" }).click();
    await loaded;
    await this.connected("phone", "laptop");
  }

  /** What a device shows. */
  screen(device) {
    return this.page.frameLocator(`#device-${device} iframe`);
  }

  /** A button of a device: `look`, `network`, `lose`, `tab`. */
  button(device, what) {
    return this.page.locator(`#device-${device} [data-do="${what}"]`);
  }

  /** Waits until these devices are connected. */
  async connected(...devices) {
    for (const device of devices) await this.page.locator(`#device-${device}[data-connection="open"]`).waitFor();
  }

  /** Which node a device is on. */
  async nodeOf(device) {
    return (await this.page.locator(`#device-${device} .pill`).textContent()).match(/on (n\d)/)?.[1];
  }

  /** The node that owns the user. */
  async owner() {
    return (await this.page.locator(".node[data-owner] b").textContent()).trim();
  }

  /** The one-click publish of a kind. */
  async publish(kind) {
    await this.page.locator(`.kind[data-kind="${kind}"]`).click();
  }

  /** Publishes by the form: `{Kind: "Survey", "Time to live": "1s"}`. */
  async fill(fields) {
    const details = this.page.locator("#form-details");
    if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
    await this.page.locator("#form").evaluate((form) => form.reset());
    for (const [label, value] of Object.entries(fields)) {
      const field = this.page.locator("#form").getByLabel(label, { exact: true });
      const isChoice = await field.evaluate((element) => element.tagName === "SELECT");
      await (isChoice ? field.selectOption({ label: value }) : field.fill(value));
    }
    await this.page.locator("#form").getByRole("button", { name: "Publish" }).click();
  }

  /** The newest answer of a node, once there is one: `{code, text}`. */
  async answer() {
    const row = this.page.locator(".answer:first-child:not([data-status='asked'])");
    await row.waitFor();
    return { code: await row.locator(".code").textContent(), text: await row.locator("div").textContent() };
  }

  /** How often something was offered again after its confirm. */
  async offeredAgain() {
    return Number(await this.page.locator("#kept-count").textContent());
  }

  /** The stops of a timeline: `published`, `offered phone`, … */
  async timeline(id) {
    const stops = this.page.locator(`.delivery[data-id="${id}"] .stop`);
    return stops.evaluateAll((list) => list.map((stop) => [stop.querySelector("b").textContent, stop.dataset.device].filter(Boolean).join(" ")));
  }

  /** Waits until a timeline ends so. */
  async ends(id, ...stops) {
    await until(
      async () => `the timeline of ${id} ends with ${stops}: ${await this.timeline(id)}`,
      async () => (await this.timeline(id)).slice(-stops.length).join() === stops.join(),
    );
  }
}
