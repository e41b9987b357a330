// The JS client in a real browser, against real nodes, through all that browsers do to it. Each test asks both sides: what the page saw, and what the server's timeline says.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openBrowser, sleep } from "./lib/browser.mjs";
import { startCluster } from "./lib/cluster.mjs";
import { Protocol, fetchDocument } from "./lib/documents.mjs";
import { startNode } from "./lib/node.mjs";
import { startProxy } from "./lib/proxy.mjs";
import { openTab, startApp } from "./lib/tab.mjs";
import { token } from "./lib/tokens.mjs";
import { until } from "./lib/wait.mjs";

/** So many clients sleep in one page. */
const SLEEPERS = 20;

let browser, site, node, protocol;
let users = 0;
/** Contexts and tabs of the test that runs. */
let contexts = [];
let tabs = [];

before(async () => {
  // Chromium's driver turns the back-forward cache off; people have it.
  [browser, site] = await Promise.all([openBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] }), startApp()]);
  node = await startNode({ origins: [site.origin], settings: { "limits.heartbeat": "1s" } });
  protocol = new Protocol(await fetchDocument(node, "asyncapi"));
});

afterEach(async () => {
  const faults = tabs.flatMap((tab) => tab.faults);
  await Promise.all(contexts.map((context) => context.close()));
  [contexts, tabs] = [[], []];
  assert.deepEqual(faults, []);
});

after(async () => {
  await Promise.all([browser?.close(), node?.remove(), site?.close()]);
});

test("a reload goes on at the next step, with what was said last, and ends for good", async () => {
  const { user, tab } = await person();
  await node.api.publish(user, { id: "survey", payload: { q: 3 }, steps: 3 });
  await tab.noted("offer", { id: "survey", nextStep: 1, resumed: false });
  assert.equal((await tab.act("survey", "step", 1, { q1: 9 })).state, "in_progress");
  await tab.reload();
  const again = await tab.noted("offer", { id: "survey", resumed: true });
  assert.deepEqual([again.nextStep, again.data], [2, { q1: 9 }]);
  const confirm = await tab.act("survey", "complete", { q2: 1 });
  assert.deepEqual([confirm.state, confirm.yours], ["completed", true]);
  const before = tab.notes.length;
  await tab.reload();
  await settled(tab, before);
  assert.deepEqual(tab.offers(before), []);
  assert.deepEqual(await outcomes(user, "survey"), ["completed", "offered", "offered", "published", "shown", "step", "step"]);
});

test("a killed tab's ack is said in the next hello, and what was seen is not offered again", async () => {
  const { user, context, tab } = await person({ before: loseAcks });
  await node.api.publish(user, { id: "banner", payload: {} });
  await tab.noted("offer", { id: "banner" });
  await tab.begin("banner", "shown");
  await until("the ack was sent, and is kept", async () => tab.sent("ack").length > 0 && (await keptAcks(tab)) > 0);
  assert.equal((await node.api.delivery(user, "banner")).state, "offered", "it was lost on the wire");
  await tab.kill();
  const next = await anotherTab(context, user);
  await next.load();
  await settled(next);
  assert.deepEqual(next.said("hello")[0].acks.map(({ id, step }) => [id, step]), [["banner", 0]]);
  assert.equal(next.said("welcome", "server")[0].acks[0].state, "completed");
  assert.deepEqual(next.offers(), []);
  await until("nothing is kept any more", async () => (await next.pending()) === 0 && (await keptAcks(next)) === 0);
  assert.deepEqual(await outcomes(user, "banner"), ["completed", "offered", "published", "shown"]);
});

test("what a page could not get across goes out by a beacon as it is left", async () => {
  const { user, tab } = await person({ before: loseAcks });
  await node.api.publish(user, { id: "banner", payload: {} });
  await tab.noted("offer", { id: "banner" });
  await tab.begin("banner", "shown");
  await until("the ack was sent", () => tab.sent("ack").length > 0);
  await tab.page.goto(`${site.origin}/away`);
  await until("the beacon arrived", async () => (await node.api.delivery(user, "banner")).state === "completed");
  const before = tab.notes.length;
  await tab.load();
  await settled(tab, before);
  assert.deepEqual(tab.offers(before), []);
});

test("two tabs are one device with one connection, and the second takes over when the first is killed", async () => {
  const { user, context, tab: first } = await person();
  const second = await anotherTab(context, user);
  await second.load();
  assert.equal((await node.api.devices(user)).length, 1);
  assert.equal(second.sockets.length, 0, "the second tab has no connection of its own");
  await node.api.publish(user, { id: "tour", payload: {}, steps: 3 });
  await second.noted("offer", { id: "tour" });
  assert.deepEqual(first.offers(), [], "it is shown in the tab that came into view last");
  assert.equal((await second.act("tour", "step", 1)).step, 1);
  const before = second.notes.length;
  await first.kill();
  await until("the second tab connects", () => second.sockets.length === 1);
  await second.opened(before);
  assert.equal((await second.act("tour", "complete")).state, "completed");
  assert.deepEqual(second.offers(before), [], "it was on the screen all the time");
  assert.equal((await node.api.devices(user)).length, 1);
  assert.deepEqual(await outcomes(user, "tour"), ["completed", "offered", "published", "shown", "step", "step"]);
});

test("what is done offline is confirmed when the network is back, and nothing is shown twice", async () => {
  const { user, context, tab } = await person();
  await node.api.publish(user, { id: "survey", payload: {}, steps: 3 });
  await tab.noted("offer", { id: "survey" });
  const before = tab.notes.length;
  await context.setOffline(true);
  node.pause();
  await tab.begin("survey", "step", 1);
  await tab.begin("survey", "step", 2, { q2: "offline" });
  await tab.noted("state", { name: "waiting" }, before);
  assert.ok((await tab.pending()) > 0);
  node.resume();
  await context.setOffline(false);
  await tab.noted("confirm", { id: "survey", step: 2 }, before);
  await until("nothing waits", async () => (await tab.pending()) === 0);
  assert.deepEqual(tab.offers(before), []);
  assert.deepEqual((await node.api.delivery(user, "survey")).data, { q2: "offline" });
});

test("clients that slept through a restart of their node come back once each, and not all at one moment", async () => {
  const sleeper = await startNode({ origins: [site.origin] });
  try {
    const { tab } = await person({ options: { url: sleeper.url }, tokenFor: (_, user) => token(user) });
    await tab.page.evaluate(async ([url, count]) => {
      const join = (number) => window.join({ url, user: `sleeper-${number}`, tabs: false, storage: "memory", device: "d1" });
      await Promise.all(Array.from({ length: count }, (_, number) => join(number).ready()));
    }, [sleeper.url, SLEEPERS - 1]);
    assert.equal(await metric(sleeper, "engage_connections"), SLEEPERS);
    const before = tab.notes.length;
    const wake = await sleep(browser);
    try {
      await sleeper.kill();
      await sleeper.start();
      assert.equal(await metric(sleeper, "engage_connections_opened_total"), 0, "it is asleep");
    } finally {
      wake();
    }
    await until("all are back", async () => (await metric(sleeper, "engage_connections")) === SLEEPERS);
    assert.equal(await metric(sleeper, "engage_connections_opened_total"), SLEEPERS, "nobody came twice");
    const waits = tab.notes.slice(before).filter(({ kind, name }) => kind === "state" && name === "waiting").map(({ retryInMs }) => retryInMs);
    assert.ok(new Set(waits).size > SLEEPERS / 2, `they waited for ${waits} ms`);
  } finally {
    await sleeper.remove();
  }
});

test("a machine that slept for hours tries once when it wakes, and says what it has kept", async () => {
  const { user, tab } = await person({ before: ({ page }) => page.clock.install() });
  await node.api.publish(user, { id: "survey", payload: {}, steps: 3 });
  await tab.noted("offer", { id: "survey" });
  const before = tab.notes.length;
  await node.kill();
  await tab.noted("state", { name: "waiting" }, before);
  await tab.begin("survey", "step", 1);
  const [tried, slept] = [tab.sockets.length, tab.notes.length];
  await tab.page.clock.fastForward("08:00:00");
  await tab.noted("state", { name: "waiting" }, slept);
  assert.ok(tab.sockets.length - tried <= 2, `${tab.sockets.length - tried} attempts`);
  await node.start();
  await tab.noted("confirm", { id: "survey", step: 1 }, before);
  assert.deepEqual(tab.offers(before), []);
});

test("when its node dies it goes on at another one, and what is on the screen stays there", async () => {
  const cluster = await startCluster(3, { origins: [site.origin] });
  try {
    const { user, tab } = await person({ options: { url: cluster.urls } });
    await cluster.api.publish(user, { id: "survey", payload: {}, steps: 3 });
    await tab.noted("offer", { id: "survey" });
    const before = tab.notes.length;
    const lost = cluster.node((await tab.opened()).node);
    await lost.kill();
    await tab.begin("survey", "step", 1);
    const { node: next } = await tab.opened(before);
    assert.notEqual(next, lost.name);
    await tab.noted("confirm", { id: "survey", step: 1 }, before);
    assert.equal((await tab.act("survey", "complete")).yours, true);
    assert.deepEqual(tab.offers(before), []);
    const { timeline } = await cluster.api.delivery(user, "survey");
    assert.equal(timeline.filter(({ outcome }) => outcome === "offered").length, 1);
  } finally {
    await cluster.remove();
  }
});

test("where WebSockets are blocked it takes the stream, and remembers it", async () => {
  const proxy = await startProxy(node);
  try {
    const { user, tab } = await person({ options: { url: proxy.url }, deadline: 30_000 });
    assert.equal((await tab.opened()).transport, "stream");
    assert.ok(proxy.refused > 0);
    await node.api.publish(user, { id: "banner", payload: {} });
    await tab.noted("offer", { id: "banner" });
    assert.equal((await tab.act("banner", "shown")).yours, true);
    const refused = proxy.refused;
    const before = tab.notes.length;
    await tab.reload();
    await settled(tab, before);
    assert.equal(proxy.refused, refused, "it didn't even try a WebSocket");
    assert.deepEqual(tab.offers(before), []);
  } finally {
    await proxy.close();
  }
});

test("a token is renewed before it ends, on the same connection", async () => {
  const asked = [];
  const { user, tab } = await person({ tokenFor: (why, user) => (asked.push(why), token(user, { seconds: asked.length === 1 ? 3 : 600 })) });
  const { connection } = await tab.opened();
  const ends = performance.now() + 3_000;
  await until("it is renewed", () => tab.said("token").length > 0);
  assert.ok(performance.now() < ends);
  await until("the first token has ended", () => performance.now() > ends + 1_500);
  assert.deepEqual(asked, ["start", "expiring"]);
  await node.api.publish(user, { id: "banner", payload: {} });
  await tab.noted("offer", { id: "banner" });
  assert.equal((await tab.act("banner", "shown")).yours, true);
  assert.deepEqual(await states(tab), ["open"]);
  assert.equal(tab.sockets.length, 1);
  assert.equal((await tab.page.evaluate(() => window.engage.state.connection)), connection);
});

test("a token that the server refuses is replaced, and a user who is signed out stays out", async () => {
  const answers = [(user) => token(user, { seconds: -60 }), (user) => token(user), () => ""];
  const { tab } = await person({ tokenFor: (_, user) => answers.shift()(user) });
  assert.deepEqual(tab.asked, ["start", "refused"]);
  const before = tab.notes.length;
  await tab.page.reload();
  await tab.noted("state", { name: "closed", code: "unauthorized" }, before);
});

test("a page that comes back out of the back-forward cache connects at once, and goes on", async () => {
  const { user, tab } = await person();
  await node.api.publish(user, { id: "tour", payload: {}, steps: 3 });
  await tab.noted("offer", { id: "tour" });
  await tab.act("tour", "step", 1);
  await tab.page.evaluate(() => (window.isTheSame = true));
  const before = tab.notes.length;
  await tab.page.goto(`${site.origin}/away`);
  await until("the device is gone", async () => (await node.api.devices(user)).every((device) => device.lease_until));
  await tab.page.goBack({ waitUntil: "commit" });
  assert.equal(await tab.page.evaluate(() => window.isTheSame), true, "it was in the cache");
  await tab.opened(before);
  assert.deepEqual(tab.offers(before), [], "it is still on the screen");
  assert.equal((await tab.act("tour", "complete")).state, "completed");
});

test("a claim shows on one device only", async () => {
  const one = await person();
  const two = await person({ user: one.user });
  await node.api.publish(one.user, { id: "once", payload: {}, targets: "all" });
  await Promise.all([one, two].map(({ tab }) => tab.noted("offer", { id: "once" })));
  const claims = await Promise.all([one, two].map(({ tab }) => tab.act("once", "claim")));
  assert.deepEqual(claims.map((claim) => claim.show).sort(), [false, true]);
  assert.deepEqual(claims.map((claim) => claim.yours), claims.map((claim) => claim.show));
});

test("a hidden page gives what it shows to a visible one, and takes it back", async () => {
  const one = await person();
  const two = await person({ user: one.user });
  await node.api.publish(one.user, { id: "tour", payload: {}, steps: 2 });
  await two.tab.noted("offer", { id: "tour" });
  await two.tab.act("tour", "step", 1);
  await look(two.tab, "hidden");
  await two.tab.noted("withdraw", { id: "tour", reason: "moved", aborted: true });
  const resumed = await one.tab.noted("offer", { id: "tour" });
  assert.deepEqual([resumed.nextStep, resumed.resumed], [2, true]);
  await look(two.tab, "visible");
  await look(one.tab, "hidden");
  await until("it is back", () => two.tab.offers().length === 2);
  assert.equal((await two.tab.act("tour", "complete")).yours, true);
});

test("a notice is seen, counted, and not repeated", async () => {
  const { user, tab } = await person();
  await node.api.publish(user, { id: "flash", payload: {}, mode: "fire_and_forget" });
  await tab.noted("notice", { id: "flash" });
  await until("it was seen", async () => (await feed(user)).includes("notice_seen"));
  const before = tab.notes.length;
  await tab.reload();
  await settled(tab, before);
  assert.equal(tab.notes.filter(({ kind }) => kind === "notice").length, 1);
});

/** A user, and a tab of a browser profile of theirs in which the client is connected. */
async function person({ user = `user-${++users}-${process.pid}`, options = {}, before: prepare, tokenFor } = {}) {
  const context = await browser.newContext();
  contexts.push(context);
  const tab = await anotherTab(context, user, { options, tokenFor });
  await prepare?.(tab);
  await tab.load();
  return { user, context, tab };
}

async function anotherTab(context, user, { options = {}, tokenFor } = {}) {
  const tab = await openTab(context, site, protocol, { url: node.url, user, ...options }, tokenFor && ((why, asked) => tokenFor(why, asked ?? user)));
  tabs.push(tab);
  return tab;
}

/** Waits until all that was waiting for a tab has been offered to it. */
async function settled(tab, from = 0) {
  await until("it has caught up", () => tab.notes.slice(from).some((note) => note.kind === "message" && note.message.type === "caught_up"));
}

/** A wire on which acks get lost: the page sends them, and the node never hears of them. */
async function loseAcks({ page }) {
  await page.routeWebSocket(/\/v1\/connect/, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((frame) => {
      const kept = [JSON.parse(frame)].flat().filter((message) => message.type !== "ack");
      if (kept.length > 0) server.send(JSON.stringify(kept));
    });
  });
}

/** How many acks the tab's profile keeps. */
function keptAcks(tab) {
  return tab.page.evaluate(async () => {
    const request = (it) => new Promise((resolve, reject) => Object.assign(it, { onsuccess: () => resolve(it.result), onerror: () => reject(it.error) }));
    const database = await request(indexedDB.open("engage"));
    const texts = await request(database.transaction("texts").objectStore("texts").getAll());
    database.close();
    return texts.filter((text) => text.startsWith("[")).flatMap((text) => JSON.parse(text)).length;
  });
}

/** The sum of a metric over its labels. */
async function metric(of, name) {
  const { body } = await of.api.call("GET", "/metrics");
  const lines = body.split("\n").filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** What became of a delivery, by the server, in the order of the alphabet: of one instant, the ledger's order says nothing more. */
async function outcomes(user, id) {
  return (await node.api.delivery(user, id)).timeline.map(({ outcome }) => outcome).sort();
}

/** What became of everything of a user, by the feed. */
async function feed(user) {
  const { body } = await node.api.call("GET", "/v1/outcomes?limit=10000");
  return body.trim().split("\n").map((line) => JSON.parse(line)).filter((line) => line.user === user).map(({ outcome }) => outcome);
}

/** The states that a tab has been in since it was connected. */
async function states(tab) {
  const all = tab.notes.filter(({ kind }) => kind === "state").map(({ name }) => name);
  return all.slice(all.indexOf("open"));
}

/** The page goes out of view, or comes back into it. */
function look({ page }, visibility) {
  return page.evaluate((visibility) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => visibility });
    document.dispatchEvent(new Event("visibilitychange"));
  }, visibility);
}
