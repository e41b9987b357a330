// The demo's page, as it is to those who don't see it, don't use a mouse, or have another screen; and the judge that counts what was offered again.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Judge } from "../../src/demo/page/kept.js";
import { openBrowser, shot } from "./lib/browser.mjs";
import { DemoPage, startDemo } from "./lib/demo.mjs";
import { until } from "./lib/wait.mjs";

/** What WCAG asks of text, level AA. */
const CONTRAST = 4.5;
/** What WCAG asks of what is pressed, level AA. */
const TARGET_PX = 24;

let browser, demo, context;

before(async () => {
  [browser, demo] = await Promise.all([openBrowser(), startDemo()]);
});

after(async () => {
  await browser?.close();
  await demo?.end();
});

/** Opens the page. The one before is closed: the same devices are in both. */
async function open(options = {}) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  return DemoPage.open(context, demo.url);
}

const offer = (more = {}) => ({ type: "offer", id: "x", window: "w", scope: "user", at: 10, ...more });
const confirm = (more = {}) => ({ type: "confirm", id: "x", window: "w", state: "completed", at: 20, ...more });

/** A judge that heard all this: `[device, direction, message]`, a ms apart. */
function judged(...heard) {
  const judge = new Judge();
  heard.forEach(([device, direction, message], at) => judge.hear({ device, direction, message, at }));
  return judge.broken.length;
}

test("the judge counts an offer on a connection that said hello after the confirm", () => {
  const hello = { type: "hello" };
  assert.equal(judged(["phone", "in", offer()], ["phone", "in", confirm()], ["laptop", "out", hello], ["laptop", "in", offer()]), 1);
  assert.equal(judged(["laptop", "out", hello], ["phone", "in", confirm()], ["laptop", "in", offer()]), 0, "it said hello before, and the offer is of before");
});

test("the judge counts an offer of a later time than the confirm's, and none of another key", () => {
  assert.equal(judged(["phone", "in", confirm()], ["laptop", "in", offer({ at: 21 })]), 1);
  assert.equal(judged(["phone", "in", confirm()], ["laptop", "in", offer({ at: 21, window: "w2" })]), 0);
  assert.equal(judged(["phone", "in", confirm({ state: "in_progress" })], ["laptop", "in", offer({ at: 21 })]), 0, "it was not settled");
  const own = offer({ scope: "device" });
  assert.equal(judged(["phone", "in", own], ["phone", "in", confirm()], ["laptop", "in", { ...own, at: 21 }]), 0, "each device has its own");
  assert.equal(judged(["phone", "in", own], ["phone", "in", confirm()], ["phone", "in", { ...own, at: 21 }]), 1);
});

test("the judge takes the confirms of a welcome for what they are", () => {
  const welcome = { type: "welcome", acks: [confirm(), { type: "error", id: "y", window: "w" }] };
  assert.equal(judged(["phone", "in", welcome], ["phone", "in", offer({ at: 21 })]), 1);
});

test("the page with everything on it", async (t) => {
  const it = await open();
  await it.publish("survey");
  await it.screen("phone").getByText("Question 1 of 3").waitFor();

  await t.test("everything that can be pressed or filled in has a name, and is large enough", async () => {
    for (const summary of await it.page.locator("summary").all()) await summary.click();
    const pages = [it.page.mainFrame(), ...it.page.frames().filter((frame) => frame.parentFrame())];
    assert.equal(pages.length, 3);
    for (const frame of pages) {
      const controls = await frame.locator("button, a, input, select, summary, iframe, [tabindex='0']").evaluateAll((list) =>
        list
          .filter((element) => element.checkVisibility())
          .map((element) => ({
            name: (element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.title ?? "").trim() || element.textContent.trim(),
            tag: element.tagName,
            height: element.getBoundingClientRect().height,
            isOdd: element.tabIndex > 0,
          })),
      );
      assert.ok(controls.length > 0);
      assert.deepEqual(controls.filter(({ name, isOdd }) => name === "" || isOdd), []);
      const small = controls.filter(({ tag, height }) => tag !== "A" && height < TARGET_PX);
      assert.deepEqual(small, []);
    }
  });

  await t.test("the page has its landmarks, one title, and headings in order", async () => {
    for (const role of ["banner", "main", "contentinfo"]) assert.equal(await it.page.getByRole(role).count(), 1, role);
    assert.equal(await it.page.locator("html").getAttribute("lang"), "en");
    const levels = await it.page.locator("h1, h2, h3").evaluateAll((list) => list.map((element) => Number(element.tagName[1])));
    assert.equal(levels.filter((level) => level === 1).length, 1);
    levels.reduce((before, level) => (assert.ok(level <= before + 1, String(levels)), level), 0);
    for (const device of ["phone", "laptop"]) assert.ok(await it.page.getByTitle(`The shop’s app on the ${device}`).isVisible());
  });

  await t.test("no screen is too narrow", async () => {
    for (const width of [320, 390, 768, 1024, 1440, 1920]) {
      await it.page.setViewportSize({ width, height: 900 });
      const excess = await it.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(excess <= 0, `at ${width} px the page is ${excess} px too wide`);
    }
  });
});

test("with the keyboard alone one can publish, answer, and look at the other device", async () => {
  const it = await open();
  const focused = () => it.page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());
  await it.page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to publishing");
  await it.page.keyboard.press("Enter");
  assert.equal(await focused(), "publish");
  await it.page.keyboard.press("Tab");
  const ring = await it.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, "solid", "the focus is seen");
  await it.page.keyboard.press("Enter");
  const phone = it.screen("phone");
  await phone.getByText("Question 1 of 3").waitFor();

  const rating = phone.getByRole("button", { name: "4 of 5" });
  const hasFocus = async (target) => (await target.count()) > 0 && target.evaluate((element) => element === element.ownerDocument.activeElement);
  await tabTo(it, () => hasFocus(rating));
  await it.page.keyboard.press("Space");
  await phone.getByText("Question 2 of 3").waitFor();
  await tabTo(it, () => hasFocus(it.button("laptop", "look")));
  await it.page.keyboard.press("Enter");
  await it.screen("laptop").getByText("Question 2 of 3").waitFor();
});

/** Presses Tab until it is there. */
async function tabTo({ page }, isThere) {
  for (let pressed = 0; pressed < 60; pressed += 1) {
    if (await isThere()) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the keyboard doesn't get there");
}

test("what happens is said to those who listen", async () => {
  const it = await open();
  const said = (text) => until(`“${text}” is said`, async () => (await it.page.locator("#announcer").textContent()).includes(text));
  await it.button("laptop", "look").click();
  await said("Ann looks at the laptop");
  await it.button("phone", "network").click();
  await said("The phone is offline");
  await it.button("phone", "network").click();
  await said("The phone is online");
  await it.publish("survey");
  await said("Done: Publish a survey");
  for (const region of ["#announcer", "#answers", "#cluster-note", "#kept-count"]) {
    const isLive = await it.page.locator(region).evaluate((element) => element.getAttribute("aria-live") === "polite" || element.getAttribute("role") === "status");
    assert.ok(isLive, region);
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`every text can be read against its ground, ${colorScheme}`, async () => {
    const it = await open({ colorScheme, reducedMotion: "reduce" });
    await it.publish("survey");
    await it.screen("phone").getByRole("button", { name: "4 of 5" }).click();
    await it.screen("phone").getByText("Question 2 of 3").waitFor();
    await it.ends("survey-1", "step 1 phone");
    for (const summary of await it.page.locator("summary").all()) await summary.click();
    const frames = [it.page.mainFrame(), it.page.frames().find((frame) => frame.url().includes("device=phone"))];
    for (const frame of frames) {
      const { found, judged } = await frame.evaluate(faint, CONTRAST);
      assert.deepEqual(found, []);
      assert.ok(judged > 8, `only ${judged} texts were judged`);
    }
    await it.page.locator("details").evaluateAll((all) => all.forEach((details) => (details.open = false)));
    await it.button("laptop", "look").click();
    await it.screen("laptop").getByText("Question 2 of 3").waitFor();
    await it.page.evaluate(() => scrollTo(0, 0));
    await shot(it.page, `demo-${colorScheme}`, { fullPage: true });
    await it.page.setViewportSize({ width: 390, height: 844 });
    await it.page.evaluate(() => scrollTo(0, 0));
    await shot(it.page, `demo-narrow-${colorScheme}`, { fullPage: true });
  });
}

/** Runs in the page: the texts that stand out too little. A ground with a picture is not judged. */
function faint(least) {
  const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const paint = (ground, colors) => {
    context.fillStyle = ground;
    context.fillRect(0, 0, 1, 1);
    for (const color of colors) {
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    }
    return context.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = [];
  let judged = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    const isOut = element.closest(".unseen, .skip, :disabled, [inert], [aria-hidden='true']");
    if (text === "" || isOut || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const grounds = [];
    let onPicture = false;
    for (let up = element; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      grounds.unshift(style.backgroundColor);
      if (style.backgroundImage !== "none" && style.backgroundColor.startsWith("rgba(0, 0, 0, 0")) onPicture = true;
      if (up.classList.contains("node") || up.classList.contains("caption")) break;
    }
    if (onPicture) continue;
    const ground = light(paint("white", grounds));
    const ink = light(paint("white", [...grounds, getComputedStyle(element).color]));
    const contrast = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    judged += 1;
    if (contrast < least) found.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)} (${element.className || element.tagName})`);
  }
  return { found, judged };
}

test("nothing moves for who wants nothing to move", async () => {
  const it = await open({ reducedMotion: "reduce" });
  await it.publish("survey");
  await it.screen("phone").getByRole("button", { name: "4 of 5" }).click();
  await it.screen("phone").getByText("Question 2 of 3").waitFor();
  await until("it stands still", async () => (await it.page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === "running").length)) === 0);
  assert.equal(await it.page.locator("#wires .dot").count(), 0);
});

test("a page whose demo has ended says so", async () => {
  const it = await open();
  await demo.end();
  await it.page.getByRole("alert").getByText("The demo has ended").waitFor();
});
