// Takes the picture of the demo that README shows:  node picture.mjs  (in tests/browser, with the dependencies that ./run installs). Looks best where the font Inter is installed.

import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser } from "./lib/browser.mjs";
import { DemoPage, startDemo } from "./lib/demo.mjs";
import { until } from "./lib/wait.mjs";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../../docs/images");
const BYTES_MAX = 300 * 1024;

const [browser, demo] = await Promise.all([openBrowser(), startDemo()]);
try {
  mkdirSync(FOLDER, { recursive: true });
  await take("light", join(FOLDER, "demo.png"));
  await take("dark", join(FOLDER, "demo-dark.png"));
} finally {
  await browser.close();
  await demo.end();
}

/** Halfway through the story: the owner is dead, and the laptop goes on where the phone was. */
async function take(colorScheme, path) {
  const context = await browser.newContext({ viewport: { width: 1300, height: 1060 }, colorScheme });
  const it = await DemoPage.open(context, demo.url);
  await it.publish("survey");
  await it.screen("phone").getByRole("button", { name: "4 of 5" }).click();
  await it.screen("phone").getByText("Question 2 of 3").waitFor();
  await it.page.locator("#kill-owner").click();
  await it.page.locator("#cluster-note", { hasText: "took over" }).waitFor();
  await it.button("laptop", "look").click();
  await it.screen("laptop").getByText("Question 2 of 3").waitFor();
  await it.ends("survey-1", "offered laptop");
  await it.page.evaluate(() => scrollTo(0, 0));
  await it.page.mouse.move(5, 5);
  await until("nothing moves any more", () => it.page.evaluate(() => document.querySelectorAll("#wires .dot").length === 0));
  await it.page.screenshot({ path, animations: "disabled" });
  const bytes = statSync(path).size;
  console.log(`${path}: ${bytes} bytes`);
  if (bytes > BYTES_MAX) throw new Error(`${path} is larger than ${BYTES_MAX} bytes`);
  await it.page.locator("#bring-back").click();
  await until("all nodes serve", async () => (await it.page.locator('.node[data-state="up"]').count()) === 3);
  await context.close();
}
