// A real Chromium without a window, and pictures of its pages.

import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const SHOTS = join(dirname(fileURLToPath(import.meta.url)), "../shots");

/** Where the browser is: `CHROMIUM`, else Debian's. */
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Opens a browser. Each test makes a context of its own in it: `browser.newContext()`. */
export async function openBrowser(options = {}) {
  if (!existsSync(CHROMIUM)) throw new Error(`no browser at ${CHROMIUM}; hint: apt-get install chromium, or set CHROMIUM`);
  return chromium.launch({ executablePath: CHROMIUM, ...options, args: ["--no-sandbox", ...(options.args ?? [])] });
}

/** A picture of a page, as `tests/browser/shots/<name>.png`. */
export async function shot(page, name, options = {}) {
  mkdirSync(SHOTS, { recursive: true });
  const path = join(SHOTS, `${name}.png`);
  await page.screenshot({ path, animations: "disabled", ...options });
  return path;
}

/** Puts the browser to sleep, pages and network together, as a laptop does whose lid is closed. Gives back what wakes it. */
export async function sleep(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  // Its main process goes on: it hears the driver, and shows no page.
  const ids = processInfo.filter(({ type }) => type !== "browser").map(({ id }) => id);
  for (const id of ids) process.kill(id, "SIGSTOP");
  return () => {
    for (const id of ids) process.kill(id, "SIGCONT");
  };
}

/** Notes everything that goes wrong in a page unseen: errors of scripts, and what they write as errors. Give the list to an assertion at the end of a test. */
export function complaints(page) {
  const list = [];
  page.on("pageerror", (error) => list.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    if (message.type() === "error") list.push(`${message.text()} (${message.location().url})`);
  });
  return list;
}
