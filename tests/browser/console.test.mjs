// The console in a real browser, on a cluster of three: every view, the way in and out, a node that dies, one that is drained, an engagement that is withdrawn. Pictures of all of
// it, light and dark, wide and narrow. Throughout, no key may stand in a URL, and nothing may meet the content policy.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { complaints, openBrowser, shot } from "./lib/browser.mjs";
import { startCluster } from "./lib/cluster.mjs";
import { Member } from "./lib/crowd.mjs";
import { ADMIN_KEY, READ_KEY } from "./lib/tokens.mjs";
import { until } from "./lib/wait.mjs";

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };

let browser, cluster, context, page, unseen;
const urls = [];
const members = [];

before(async () => {
  [browser, cluster] = await Promise.all([openBrowser(), startCluster(3, { settings: { "cluster.shards": "8" } })]);
  context = await browser.newContext({ viewport: WIDE, colorScheme: "light" });
  context.on("request", (request) => urls.push({ url: request.url(), to: request.headers().authorization }));
  page = await context.newPage();
  unseen = complaints(page);
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)),
  );
  for (let number = 0; number < 12; number += 1) members.push(await Member.join(cluster.nodes[number % 3], `person-${number}`));
});

after(async () => {
  members.forEach((member) => member.close());
  await Promise.all([browser?.close(), cluster?.remove()]);
});

afterEach(() => {
  // A node that was killed can't be reached, and the browser says so; that is what the page is for.
  const bad = unseen.filter((text) => !/net::ERR_(CONNECTION|EMPTY_RESPONSE|INCOMPLETE|SOCKET)/.test(text) && !/status of (401|403|404|409|503)/.test(text));
  assert.deepEqual(bad, []);
  for (const { url, to } of urls) {
    assert.ok(!url.includes(ADMIN_KEY) && !url.includes(READ_KEY), `a key is in ${url}`);
    if (to) assert.ok(new URL(url).pathname.startsWith("/v1/"), `the key was sent to ${url}`);
  }
});

/** Pictures of the page as it is now. */
async function shots(name) {
  for (const [size, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await shot(page, `console-${name}-${size}-${colorScheme}`);
    }
    assert.ok(await fitsSideways(), `${name} is wider than a ${size} page`);
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: "light" });
}

const fitsSideways = () => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
const goTo = (view) => page.getByRole("navigation").getByRole("link", { name: view }).click();
const table = (name) => page.getByRole("table", { name });
const row = (name, cell) =>
  table(name)
    .getByRole("row")
    .filter({ has: page.getByRole("rowheader", { name: cell }) });
const alert = () => page.locator("#alert").textContent();

async function logIn(key = ADMIN_KEY, url = cluster.nodes[0].url) {
  await page.goto(`${url}/console`);
  await page.getByLabel(/API key/).fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("a key that is not known, or is not enough, is told what is missing, and gets nothing", async () => {
  await logIn("nobody-knows-this-key");
  await page.getByText("No node of this cluster knows this key.").waitFor();
  await page.getByLabel(/API key/).fill(READ_KEY);
  await page.keyboard.press("Enter");
  await page.getByText("this needs a key of role admin; this one has role read").waitFor();
  await shots("login-refused");
  await page.getByLabel(/API key/).fill("with a sign that no header holds: ✓");
  await page.keyboard.press("Enter");
  await page.getByText("No node of this cluster knows this key.").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0, "a refused key is not kept");
  const field = page.getByLabel(/API key/);
  assert.deepEqual([await field.getAttribute("type"), await field.getAttribute("autocomplete")], ["password", "current-password"]);
});

test("an admin gets in, the key stays in this tab alone, and goes with the logout", async () => {
  await logIn();
  await page.getByRole("heading", { name: /All is well|It serves|need/ }).waitFor();
  const places = await page.evaluate(
    (key) => ({
      document: document.documentElement.outerHTML.includes(key),
      local: localStorage.length,
      cookies: document.cookie,
      url: location.href.includes(key),
    }),
    ADMIN_KEY,
  );
  assert.deepEqual(places, { document: false, local: 0, cookies: "", url: false });
  await page.reload();
  await page.getByRole("heading", { name: /All is well|It serves|need/ }).waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel(/API key/).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await page.reload();
  await page.getByLabel(/API key/).waitFor();
  await logIn();
});

test("the overview shows how much goes on, by the second, as charts and as tables", async () => {
  const flow = page.getByRole("figure", { name: "Publishes, offers, acks a second" });
  let number = 0;
  const offersShown = async () => {
    number += 1;
    await cluster.api.publish(`person-${number % 12}`, { id: `banner-${number}`, payload: {} });
    return Number(await flow.getByRole("listitem").filter({ hasText: "offers" }).locator("b").textContent()) > 0;
  };
  await until("offers are shown", offersShown);
  await until("members have settled", () => members.filter(({ offered }) => offered.length > 0).length > 5 || offersShown().then(() => false));
  await until("times to a confirm are shown", async () =>
    /ms/.test(await page.getByRole("figure", { name: "From an ack to its confirm" }).getByRole("listitem").first().textContent()),
  );
  await page.getByText("8 of 8").waitFor();
  const plot = flow.getByRole("slider");
  await plot.focus();
  const newest = await plot.getAttribute("aria-valuetext");
  assert.match(newest, /^\d\d:\d\d:\d\d: publishes .*, offers .*, confirmed acks /);
  for (const key of ["ArrowLeft", "ArrowLeft", "ArrowLeft"]) await page.keyboard.press(key);
  await until("the arrow keys look back", async () => (await plot.getAttribute("aria-valuetext")) < newest);
  await page.keyboard.press("Escape");
  await shots("overview");
  await flow.getByRole("button", { name: /as a table/ }).click();
  await flow.getByRole("row").nth(2).waitFor();
  await flow.getByRole("button", { name: /as a table/ }).click();
});

test("the nodes and the links between them are shown, each as it measures itself", async () => {
  await goTo("Nodes");
  for (const name of ["n1", "n2", "n3"]) {
    await row("Nodes of the cluster", name).getByText("ready").waitFor();
    assert.match(await row("Nodes of the cluster", name).textContent(), /MB/);
  }
  const links = page.getByRole("region", { name: "Links between the nodes" });
  await until(
    "all six links have a round trip",
    async () =>
      (await links
        .getByRole("cell")
        .filter({ hasText: /\d ?(ms|s)$/ })
        .count()) === 6,
  );
  await shots("nodes");
  await page.getByText("bytes a second").click();
  await until("all six links say what they carry", async () => (await links.getByRole("cell").filter({ hasText: /B\/s$/ }).count()) === 6);
});

test("the shards are shown, sorted by any column with the keyboard too, and picked by their leader", async () => {
  await goTo("Shards");
  const rows = () => table("Shards of the cluster").getByRole("rowheader").allTextContents();
  await until("all shards are there", async () => (await rows()).length === 8);
  await page.getByRole("button", { name: "Shard" }).focus();
  await page.keyboard.press("Enter");
  await until("they are sorted the other way round", async () => (await rows())[0] === "7");
  assert.equal(await page.getByRole("columnheader", { name: "Shard" }).getAttribute("aria-sort"), "descending");
  await page.keyboard.press("Enter");
  await shots("shards");
  const led = (await cluster.api.cluster()).shards.filter((shard) => shard.leader === "n2").length;
  await page.getByLabel("led by").selectOption("n2");
  await until("only those of n2 are shown", async () => (await rows()).length === led);
  await page.getByLabel("led by").selectOption("");
});

test("a user is found, with window, devices and timelines, and one engagement is withdrawn", async () => {
  const member = await Member.join(cluster.nodes[1], "ann/é", { device: "phone", acks: false });
  members.push(member);
  await cluster.api.publish("ann/é", { id: "nps", payload: {}, steps: 3 });
  await cluster.api.publish("ann/é", { id: "tour", payload: {}, steps: 5 });
  await until("both are offered", () => member.offered.length === 2);
  await goTo("Users");
  await page.getByLabel("User", { exact: true }).fill("nobody");
  await page.keyboard.press("Enter");
  await page.getByText("knows nothing of a user nobody").waitFor();
  await page.getByLabel("User", { exact: true }).fill("ann/é");
  await page.getByRole("button", { name: "Find" }).click();
  await row("Devices of the user", "phone").getByText("open").waitFor();
  await page.getByRole("button", { name: "Timeline of nps" }).click();
  await page.locator(".timeline").getByText("offered").waitFor();
  await shots("user");
  await page.getByRole("button", { name: "Withdraw tour" }).click();
  await page.getByRole("dialog", { name: "Withdraw tour?" }).waitFor();
  await shot(page, "console-withdraw-wide-light");
  await page.keyboard.press("Escape");
  assert.equal((await cluster.api.delivery("ann/é", "tour")).state, "offered", "Escape does nothing");
  await page.getByRole("button", { name: "Withdraw tour" }).click();
  await page.getByRole("button", { name: "Withdraw it" }).click();
  await page.getByRole("dialog").getByText("tour is withdrawn, at step 0.").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await row("Deliveries of the user", "tour").getByText("withdrawn").waitFor();
  assert.equal((await cluster.api.delivery("ann/é", "tour")).state, "withdrawn");
});

test("outcomes appear as they happen, can be picked and paused, and lead to their user", async () => {
  await goTo("Outcomes");
  await page.getByText("Nothing has happened since you came.").waitFor();
  const feed = page.getByRole("table", { name: "Outcomes, newest first" });
  let number = 0;
  const published = async () => {
    number += 1;
    // None of these is the beginning of another: a row is found by what it begins with.
    await cluster.api.publish("person-1", { id: `live-${String(number).padStart(4, "0")}`, payload: {} });
    return (await feed.getByText("published").count()) > 0 && (await feed.getByText("completed").count()) > 0;
  };
  await until("outcomes appear", published);
  await shots("outcomes");
  await page.getByLabel("Show only what contains").fill("completed");
  await until("only those are shown", async () => (await feed.getByText("published", { exact: true }).count()) === 0);
  await page.getByRole("button", { name: "Pause" }).click();
  await feed.getByRole("link", { name: "person-1" }).first().click();
  await row("Deliveries of the user", "live-0001").waitFor();
});

test("a page that nobody sees asks for nothing, and goes on when it is seen", async () => {
  const hide = (hidden) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  const looks = () => urls.filter(({ url }) => url.endsWith("/v1/cluster")).length;
  await hide(true);
  const began = performance.now();
  let before = looks();
  // What was under way may still end.
  await until("a second has passed", () => performance.now() - began > 1_000);
  before = looks();
  await until("three more have passed, in which a page that is seen looks three times", () => performance.now() - began > 4_000);
  assert.equal(looks(), before);
  await hide(false);
  await until("it looks again", () => looks() > before);
});

test("a node that is drained gives its leaders and clients away before one's eyes", async () => {
  await goTo("Nodes");
  await page.getByRole("button", { name: "Drain n2" }).click();
  await page.getByRole("dialog", { name: "Drain n2?" }).getByText("told to connect elsewhere").waitFor();
  await shot(page, "console-drain-question-wide-light");
  await page.getByRole("dialog").getByRole("button", { name: "Drain n2" }).click();
  const panel = page.getByRole("region", { name: "Drain of n2" });
  await panel.waitFor();
  await panel.getByText("n2 is drained").waitFor({ timeout: 30_000 });
  assert.equal(await panel.getByRole("progressbar").evaluate((bar) => bar.value), 1);
  await row("Nodes of the cluster", "n2").getByText("draining").waitFor();
  const now = (await cluster.api.cluster()).nodes.find((node) => node.name === "n2");
  assert.deepEqual([now.leaders, now.connections], [0, 0]);
  await shots("drained");
  const button = panel.getByRole("button", { name: "Remove n2" });
  await button.click();
  assert.ok(await page.getByRole("dialog").getByRole("button", { name: "Remove n2" }).isDisabled(), "its name must be typed first");
  await page.keyboard.press("Escape");
  const n2 = cluster.node("n2");
  await n2.kill();
  await n2.start();
  await row("Nodes of the cluster", "n2").getByText("ready").waitFor({ timeout: 30_000 });
  await cluster.whole();
});

test("a node that dies makes the red line, on every view, in words with what to do, and it goes when the node is back", async () => {
  const n3 = cluster.node("n3");
  await n3.kill();
  await page.locator(".red-line").getByText("n3 can't be reached.").waitFor({ timeout: 30_000 });
  await page.locator(".red-line").getByText("Start it again").waitFor();
  await until("it is told to who can't see it", async () => (await alert()).includes("n3 can't be reached"));
  await row("Nodes of the cluster", "n3").getByText("unreachable").waitFor();
  await until("the links to it are down", async () => (await page.getByRole("cell", { name: "down" }).count()) === 2);
  await shot(page, "console-node-dead-wide-light");
  await goTo("Overview");
  const told = page.getByRole("main").getByText("n3 can't be reached.");
  await told.waitFor();
  await shots("overview-red");
  await n3.start();
  await told.waitFor({ state: "detached", timeout: 30_000 });
  await until("nothing is told any more", async () => !(await alert()).includes("n3"));
});

test("when the node that serves the page dies, the page says so, leads to the others, and goes on when it is back", async () => {
  await goTo("Shards");
  const [n1] = cluster.nodes;
  await n1.kill();
  const line = page.locator(".red-line");
  await line.getByText("n1, which serves this page, has not answered since").waitFor({ timeout: 30_000 });
  assert.equal(await line.getByRole("link", { name: "n2" }).getAttribute("href"), `${cluster.node("n2").url}/console`);
  assert.match(await alert(), /n1 does not answer/);
  await shots("lost");
  await n1.start();
  await line
    .getByRole("button", { name: "Try now" })
    .click()
    .catch(() => {});
  await page.getByText("has not answered since").waitFor({ state: "detached", timeout: 30_000 });
  await page.getByText("live from n1").waitFor();
});
