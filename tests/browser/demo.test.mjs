// The demo's page, as people use it: every button is pressed, and what it does is seen.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { complaints, openBrowser } from "./lib/browser.mjs";
import { DemoPage, startDemo } from "./lib/demo.mjs";
import { until } from "./lib/wait.mjs";

let browser, demo, context;
/** What went wrong unseen in the page of the test. */
let heard = [];

before(async () => {
  [browser, demo] = await Promise.all([openBrowser(), startDemo()]);
});

after(async () => {
  await browser?.close();
  assert.equal(await demo?.end(), 0);
});

afterEach(async () => {
  await context?.close();
  // A browser writes about each connection that it could not open: that is what being offline is.
  const unexpected = heard.filter((line) => !/WebSocket connection to .* failed|net::ERR_|status of (40[049]|503)/.test(line));
  assert.deepEqual(unexpected, []);
  heard = [];
});

async function open(options = {}) {
  context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
  context.on("page", (page) => (heard = complaints(page)));
  const page = await DemoPage.open(context, demo.url);
  return page;
}

/** Brings all nodes back, and waits until they serve. */
async function mendCluster({ page }) {
  for (const node of await page.locator('.node[data-state="down"] .link').all()) await node.click();
  await until("all nodes serve", async () => (await page.locator('.node[data-state="up"]').count()) === 3);
}

test("somebody new goes down the list, every point ticks itself, and nothing is shown twice", async () => {
  const it = await open();
  const done = async (count) => it.page.locator("#tries-count", { hasText: count }).waitFor();
  const [phone, laptop] = [it.screen("phone"), it.screen("laptop")];
  assert.notEqual(await it.nodeOf("phone"), await it.nodeOf("laptop"), "each is on a node of its own");

  await it.publish("survey");
  await phone.getByText("Question 1 of 3").waitFor();
  await done("1 of 9");
  await phone.getByRole("button", { name: "4 of 5" }).click();
  await phone.getByText("Question 2 of 3").waitFor();
  await done("2 of 9");

  const owner = await it.owner();
  await it.page.locator("#kill-owner").click();
  await it.page.locator("#cluster-note", { hasText: "took over" }).waitFor();
  assert.notEqual(await it.owner(), owner);
  assert.ok(await phone.getByText("Question 2 of 3").isVisible(), "the phone goes on");
  await done("3 of 9");

  await it.button("laptop", "look").click();
  await laptop.getByText("Question 2 of 3").waitFor();
  await laptop.getByText("Picked up where you left off").waitFor();
  await until("one device shows it at a time", async () => (await phone.getByText("Question 2 of 3").count()) === 0);
  await done("4 of 9");

  await it.button("laptop", "lose").click();
  await laptop.getByRole("button", { name: "Filter" }).click();
  await laptop.getByText("Question 3 of 3").waitFor();
  await done("5 of 9");

  await it.button("laptop", "tab").click();
  await it.page.getByText("This tab was killed").waitFor();
  assert.equal(await it.page.locator("#device-laptop .pill").textContent(), "tab is dead");
  await it.button("laptop", "tab").click();
  await laptop.getByText("Question 3 of 3").waitFor();
  await done("6 of 9");

  await it.button("laptop", "network").click();
  await it.page.locator("#device-laptop[data-connection='offline']").waitFor();
  await it.page.locator("#device-laptop .device-note", { hasText: "It keeps what it held" }).waitFor();
  await done("7 of 9");
  await it.button("phone", "look").click();
  await phone.getByText("Question 3 of 3").waitFor();
  await phone.getByRole("button", { name: "Yes, the same" }).click();
  await phone.getByText("Thank you!").waitFor();
  await it.button("laptop", "network").click();
  await it.connected("laptop");

  await it.page.locator("#bring-back").click();
  await done("8 of 9");
  await it.page.getByRole("button", { name: "Publish it again" }).first().click();
  await done("all done");
  assert.match((await it.answer()).text, /duplicate: it is completed/);
  await it.ends("survey-1", "completed phone");
  assert.equal(await it.offeredAgain(), 0);
  await mendCluster(it);
});

test("each kind is published with one click, and shown where the person looks", async () => {
  const it = await open();
  const phone = it.screen("phone");

  await it.publish("tour");
  for (const stop of ["Find your roast", "Keep favourites", "Freshly roasted"]) {
    await phone.getByRole("heading", { name: stop }).waitFor();
    await phone.getByRole("button", { name: "Next" }).click();
  }
  await phone.getByRole("heading", { name: "Your bag" }).waitFor();
  await phone.getByRole("button", { name: "Done" }).click();
  await it.ends("tour-1", "step 3 phone", "step 4 phone", "completed phone");

  await it.publish("banner");
  await phone.getByText("Free shipping this weekend").waitFor();
  await it.ends("banner-1", "shown phone", "completed phone");
  await phone.getByRole("button", { name: "Close" }).click();
  await until("the banner is gone", async () => (await phone.getByText("Free shipping").count()) === 0);

  await it.publish("notice");
  await phone.getByText("Your order is out for delivery").waitFor();
  assert.equal((await it.answer()).code, "202");
  await it.ends("notice-1", "sent phone", "seen phone");

  await it.publish("survey");
  await phone.getByRole("button", { name: "Not now" }).click();
  await it.ends("survey-1", "dismissed phone");
  assert.equal(await it.screen("laptop").getByText("Free shipping").count(), 0, "the hidden one was offered nothing");
});

test("what is for all devices is on both, and progress of one is seen on the other", async () => {
  const it = await open();
  const [phone, laptop] = [it.screen("phone"), it.screen("laptop")];
  await it.page.getByText("Special ones").click();
  await it.page.locator("#special").getByRole("button", { name: /On both at once/ }).click();
  await phone.getByText("Question 1 of 3").waitFor();
  await laptop.getByText("Question 1 of 3").waitFor();
  await phone.getByRole("button", { name: "2 of 5" }).click();
  await laptop.getByText("Question 2 of 3").waitFor();
  await it.button("laptop", "look").click();
  for (const answer of ["Espresso", "No"]) await laptop.getByRole("button", { name: answer, exact: true }).click();
  await phone.getByText("Done on your other device").waitFor();

  await it.page.locator("#special").getByRole("button", { name: /One for each device/ }).click();
  await phone.getByText("Free shipping this weekend").waitFor();
  await laptop.getByText("Free shipping this weekend").waitFor();
  assert.equal(await it.offeredAgain(), 0);
});

test("the form says everything a publish can say, and what is wrong with it is shown", async () => {
  const it = await open();
  const phone = it.screen("phone");
  await it.fill({ Kind: "Survey", Id: "my own", "Time to live": "1s", Priority: "7" });
  assert.deepEqual(await it.answer().then(({ code }) => code), "201");
  await phone.getByText("Its time was up").waitFor();
  await it.ends("my own", "expired");

  await it.fill({ Kind: "Tour", Snooze: "1s" });
  await phone.getByRole("button", { name: "Skip" }).click();
  await until("it is gone for a while", async () => (await phone.getByRole("heading", { name: "Find your roast" }).count()) === 0);
  await phone.getByRole("heading", { name: "Find your roast" }).waitFor();
  await phone.getByRole("button", { name: "Skip" }).click();

  await it.fill({ Kind: "Banner", "Time to live": "soon" });
  const refused = await it.answer();
  assert.equal(refused.code, "400");
  assert.match(refused.text, /ttl/);
});

test("what is more important is shown first, and what is withdrawn leaves the screen", async () => {
  const it = await open();
  const phone = it.screen("phone");
  await it.publish("survey");
  await phone.getByText("Question 1 of 3").waitFor();
  await it.publish("tour");
  await it.fill({ Kind: "Survey", Id: "urgent", Priority: "50" });
  await it.ends("urgent", "published", "offered phone");
  await it.page.getByRole("button", { name: "Withdraw survey-1" }).click();
  await phone.getByText("Withdrawn by its publisher").waitFor();
  await phone.locator('[data-delivery="urgent"]').waitFor();
  assert.equal(await phone.locator(".tour").count(), 0, "one at a time, the most important first");
  await phone.getByRole("button", { name: "Not now" }).click();
  await phone.getByRole("heading", { name: "Find your roast" }).waitFor();
});

test("a device that is offline keeps its answer, loses what it held after the lease, and is told how it ended", async () => {
  const it = await open();
  const [phone, laptop] = [it.screen("phone"), it.screen("laptop")];
  await it.publish("survey");
  await phone.getByText("Question 1 of 3").waitFor();
  await it.button("phone", "network").click();
  await it.page.locator("#device-phone[data-connection='offline']").waitFor();
  await phone.getByRole("button", { name: "5 of 5" }).click();
  await phone.getByText("No network: the answer is kept").waitFor();
  await it.page.locator("#device-phone .pill", { hasText: /tries again in \d/ }).waitFor();
  await it.button("laptop", "look").click();
  await laptop.getByText("Question 1 of 3").waitFor();
  for (const answer of ["1 of 5", "Espresso", "No"]) await laptop.getByRole("button", { name: answer, exact: true }).click();
  await laptop.getByText("Thank you!").waitFor();
  await it.button("phone", "network").click();
  await it.connected("phone");
  await until("the phone's card is gone", async () => (await phone.locator(".card").count()) === 0);
  await it.ends("survey-1", "completed laptop");
  assert.equal(await it.offeredAgain(), 0);
});

test("a device whose own node dies goes on through another, also when that one owned the user", async () => {
  const it = await open();
  const phone = it.screen("phone");
  await it.publish("survey");
  await phone.getByText("Question 1 of 3").waitFor();
  const node = await it.nodeOf("phone");
  await it.page.getByRole("button", { name: `Kill ${node}` }).click();
  await until("the phone is on another node", async () => ![undefined, node].includes(await it.nodeOf("phone")));
  await it.page.locator(`#node-${node}[data-state="down"]`).waitFor();
  await phone.getByRole("button", { name: "3 of 5" }).click();
  await phone.getByText("Question 2 of 3").waitFor();
  await mendCluster(it);
  assert.equal(await it.offeredAgain(), 0);
});

test("without a majority nothing new is accepted, and the page says why", async () => {
  const it = await open();
  for (let killed = 1; killed <= 2; killed += 1) {
    const node = await it.page.locator('.node[data-state="up"] b').first().textContent();
    await it.page.getByRole("button", { name: `Kill ${node}` }).click();
    await it.page.locator(`#node-${node}[data-state="down"]`).waitFor();
  }
  await it.page.locator("#cluster-note", { hasText: "No majority" }).waitFor();
  await it.publish("banner");
  assert.equal((await it.answer()).code, "503");
  await mendCluster(it);
  await it.connected("phone", "laptop");
  await it.page.getByRole("button", { name: "Publish it again" }).first().click();
  await it.screen("phone").getByText("Free shipping this weekend").waitFor();
});

test("a new start forgets everything: what was published, what was cut, what was answered", async () => {
  const it = await open();
  await it.publish("survey");
  await it.screen("phone").getByRole("button", { name: "4 of 5" }).click();
  await it.button("laptop", "network").click();
  await it.page.locator("#device-laptop[data-connection='offline']").waitFor();
  await it.startOver();
  await it.page.getByText("Nothing is published yet").waitFor();
  assert.equal(await it.page.locator("#tries-count").textContent(), "0 of 9");
  await it.publish("survey");
  await it.screen("phone").getByText("Question 1 of 3").waitFor();
  await it.ends("survey-1", "published", "offered phone", "shown phone");
});

test("a second page takes the devices over, and the first can take them back", async () => {
  const first = await open();
  const second = new DemoPage(await context.newPage());
  await second.page.goto(demo.url);
  await second.connected("phone", "laptop");
  await first.page.locator("#device-phone .pill", { hasText: "taken over by another page" }).waitFor();
  await first.button("phone", "tab").click();
  await first.connected("phone");
  await second.page.locator("#device-phone .pill", { hasText: "taken over by another page" }).waitFor();
});

test("the messages of both wires can be read, word for word, and no token is among them", async () => {
  const it = await open();
  await it.page.getByText("On the wire").click();
  await it.publish("banner");
  await it.page.locator('#log [data-type="confirm"]').first().waitFor();
  const text = await it.page.locator("#log").textContent();
  for (const word of ["hello", "welcome", "offer", "ack", "confirm", "banner-1"]) assert.ok(text.includes(word), word);
  assert.ok(!text.includes("eyJ"), "no token");
});

test("the page is light or dark as the system is, and as the switch says after that", async () => {
  const it = await open({ colorScheme: "dark" });
  const ground = () => it.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await it.page.getByRole("button", { name: "Light colours" }).click();
  assert.notEqual(await ground(), dark);
  await it.page.getByRole("button", { name: "Dark colours" }).waitFor();
  await it.page.reload();
  assert.notEqual(await ground(), dark, "it is kept");
});
