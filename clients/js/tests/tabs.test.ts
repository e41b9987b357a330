/**
 * Tabs of one browser as one device: who connects, who shows, and what happens when a tab goes.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Browser, type Tab } from "./lib/browser.ts";
import { type Client, outcome, World } from "./lib/setup.ts";

let world: World;
let browser: Browser;
beforeEach(() => {
  world = new World();
  browser = new Browser(world.clock, world.environment);
});
afterEach(() => world.end());

const survey = { id: "nps", steps: 3 };

/** A tab with a client in it. The device's id is the browser's own. */
const open = (tab: Tab = browser.open()): Client & { tab: Tab } => Object.assign(world.connect({ device: undefined, environment: tab.environment }), { tab });

describe("two tabs", () => {
  test("are one device with one connection", async () => {
    const [one, two] = [await open().open(), await open().open()];
    assert.equal(world.server.connections.length, 1);
    assert.equal(world.heard("hello").length, 1);
    assert.ok(one.engage.device.length > 8);
    assert.equal(two.engage.device, one.engage.device);
    assert.equal(two.engage.user, "ann");
    assert.equal((await two.engage.ready()).connection, (await one.engage.ready()).connection);
  });

  test("that start at the same time are one device too", async () => {
    const all = [open(), open(), open()];
    for (const client of all) await client.open();
    assert.equal(new Set(all.map(({ engage }) => engage.device)).size, 1);
    assert.equal(world.heard("hello").length, 1);
  });

  test("an offer is shown in the one that was looked at last, and nowhere else", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    await world.clock.settle();
    world.server.publish("ann", survey);
    const delivery = await two.offered("nps");
    assert.deepEqual(one.ids, []);
    assert.equal((await delivery.step(1, { q1: 9 })).step, 1);
    assert.equal(delivery.nextStep, 2);
  });

  test("what is on the screen stays there while it can be seen, and moves with the person when it can't", async () => {
    const [one, two] = [await open().open(), await open().open()];
    two.tab.look(false);
    one.tab.look(true);
    world.server.publish("ann", survey);
    const here = await one.offered("nps");
    await here.step(1, { q1: 9 });
    two.tab.look(true);
    await world.clock.settle();
    assert.deepEqual(two.ids, [], "two windows side by side");
    one.tab.look(false);
    const there = await two.offered("nps");
    assert.deepEqual([there.nextStep, there.data], [2, { q1: 9 }]);
    assert.equal(here.signal.reason, "moved");
    assert.equal(world.server.delivery("ann", "nps")?.offers, 1, "the server noticed nothing of it");
    assert.equal((await there.complete()).yours, true);
  });

  test("the device is visible as long as one of them is", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    await world.clock.settle();
    assert.deepEqual(world.heard("visible"), []);
    two.tab.look(false);
    await world.clock.settle();
    assert.deepEqual(
      world.heard("visible").map(({ visible }) => visible),
      [false],
    );
  });

  test("a notice is told in the one that is looked at", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    await world.clock.settle();
    world.server.notice("ann", "flash");
    await world.until(() => two.told.includes("notice flash"));
    assert.ok(!one.told.includes("notice flash"));
  });
});

describe("when the tab with the connection", () => {
  test("is closed, another one connects, with what is on its screen, and its acks are answered", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", survey);
    const delivery = await two.offered("nps");
    world.server.loseNextConfirm();
    const answer = outcome(delivery.step(1));
    await world.clock.settle();
    one.tab.close();
    await world.until(() => answer.isSettled);
    assert.equal(answer.value?.step, 1);
    assert.deepEqual(world.heard("hello").at(-1)?.open, [{ id: "nps", window: "w-ann" }]);
    assert.deepEqual(two.ids, ["nps"], "it was not offered again");
    assert.ok(two.isOpen);
    await delivery.complete();
  });

  test("crashes, another one connects", async () => {
    const [one, two] = [await open().open(), await open().open()];
    world.server.publish("ann", survey);
    await world.until(() => two.ids.length + one.ids.length);
    one.tab.crash();
    world.server.cut();
    await world.until(() => world.heard("hello").length === 2 && two.isOpen);
    await two.offered("nps");
    assert.equal(world.server.connections.length, 1);
  });

  test("closes its client, the others stay open", async () => {
    const [one, two] = [await open().open(), await open().open()];
    await one.engage.close();
    await world.until(() => world.heard("hello").length === 2 && two.isOpen);
    assert.deepEqual([one.engage.state.name, two.told.includes("closed")], ["closed", false]);
    world.server.publish("ann", survey);
    await two.offered("nps");
  });
});

describe("when another tab", () => {
  test("is closed, what it showed comes up in one that can be seen", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", survey);
    await (await two.offered("nps")).step(1);
    two.tab.close();
    one.tab.look(true);
    assert.equal((await one.offered("nps")).nextStep, 2);
    assert.equal(world.heard("hello").length, 1);
  });

  test("crashes, the same", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", survey);
    await two.offered("nps");
    two.tab.crash();
    await one.offered("nps");
  });

  test("said something just before it was closed, it is recorded", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", survey);
    const delivery = await two.offered("nps");
    void delivery.step(2);
    await new Promise((resolve) => setImmediate(resolve));
    two.tab.close();
    await world.until(() => world.server.delivery("ann", "nps")?.step === 2);
    assert.ok(one.isOpen);
  });
});

describe("a page that goes", () => {
  test("says what has no confirm by a beacon, and shows it to nobody again", async () => {
    world.server.publish("ann", { id: "banner" });
    const one = open();
    const delivery = await one.offered("banner");
    world.server.loseNextConfirm();
    void delivery.shown();
    await world.clock.settle();
    const before = world.server.received.length;
    one.tab.close();
    assert.deepEqual(world.server.received.slice(before), [{ type: "ack", id: "banner", window: "w-ann", step: 0 }]);
    await world.clock.settle();
    const two = await open().open();
    assert.deepEqual([two.ids, two.engage.pending], [[], 0]);
  });

  test("says nothing when there is nothing to say", async () => {
    const one = await open().open();
    const before = world.server.received.length;
    one.tab.close();
    await world.clock.settle();
    assert.equal(world.server.received.length, before);
    assert.equal(world.server.connections.length, 0, "what it held is free at once");
  });

  test("into the back-forward cache comes back with what is on its screen", async () => {
    world.server.publish("ann", survey);
    const one = open();
    const delivery = await one.offered("nps");
    one.tab.hide();
    await world.clock.settle();
    assert.equal(world.server.connections.length, 0);
    assert.equal(one.engage.state.name === "waiting" && one.engage.state.code, "hidden");
    const answer = outcome(delivery.step(1));
    one.tab.back();
    await one.open();
    await world.until(() => answer.isSettled);
    assert.deepEqual(one.ids, ["nps"]);
    assert.deepEqual(world.heard("hello").at(-1)?.open, [{ id: "nps", window: "w-ann" }]);
  });

  test("into the back-forward cache leaves the connection to another tab", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.hide();
    await world.until(() => two.isOpen && world.heard("hello").length === 2);
    one.tab.back();
    await world.until(() => one.isOpen);
    assert.equal(world.server.connections.length, 1);
    assert.equal(world.heard("hello").length, 2, "it joins the one that has it now");
  });
});

describe("found by the random walk", () => {
  test("what moved to another tab while its own was away is on one screen when that comes back", async () => {
    const [one, two] = [await open().open(), await open().open()];
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", survey);
    const there = await two.offered("nps");
    two.tab.hide();
    await one.offered("nps");
    two.tab.back();
    await world.until(() => two.isOpen && there.signal.aborted);
    assert.equal(there.signal.reason, "moved");
    assert.equal(one.engage.deliveries.length + two.engage.deliveries.length, 1);
  });

  test("what waits for room in one tab, and was done in another, is not shown when there is room", async () => {
    const one = await open().open();
    const tab = browser.open();
    const two = Object.assign(world.connect({ device: undefined, show: 1, environment: tab.environment }), { tab });
    await two.open();
    one.tab.look(false);
    two.tab.look(true);
    world.server.publish("ann", { id: "first", steps: 2 });
    world.server.publish("ann", { id: "banner" });
    const first = await two.offered("first");
    // The banner waits in the second tab; its ack comes from where it was shown before.
    await world.clock.settle();
    world.server.stop();
    one.tab.look(true);
    two.tab.look(false);
    await world.clock.settle();
    world.server.start();
    const banner = await one.offered("banner");
    void first.close();
    await banner.shown();
    two.tab.look(true);
    one.tab.look(false);
    await world.clock.pass(5_000);
    assert.ok(!two.ids.includes("banner"), two.ids.join());
  });

  test("a tab that is closed while it waits for its token takes no lead, and tells the others nothing", async () => {
    const one = await open().open();
    let give = (_token: string): void => {};
    const tab = browser.open();
    const two = world.connect({ device: undefined, environment: tab.environment, getToken: () => new Promise((resolve) => (give = resolve)) });
    await world.clock.settle();
    await two.engage.close();
    give(world.server.token("ann"));
    await world.clock.settle();
    one.tab.hide();
    one.tab.back();
    await one.open();
    assert.ok(!one.told.includes("closed"));
    assert.equal(world.server.connections.length, 1);
  });

  test("a dismissal that was kept beside an ack of the same delivery is read back with it", async () => {
    world.server.publish("ann", survey);
    const one = open();
    const delivery = await one.offered("nps");
    world.server.stop();
    void delivery.step(1);
    void delivery.dismiss();
    await world.clock.settle();
    one.tab.crash();
    world.server.start();
    const two = await open().open();
    await world.until(() => world.server.delivery("ann", "nps")?.state === "dismissed");
    assert.deepEqual([two.ids, world.server.delivery("ann", "nps")?.step], [[], 1]);
  });
});

describe("without Web Locks", () => {
  beforeEach(() => {
    browser = new Browser(world.clock, world.environment, { locks: false });
  });

  test("each tab is a device of its own, so that none replaces another", async () => {
    const [one, two] = [await open().open(), await open().open()];
    assert.notEqual(one.engage.device, two.engage.device);
    assert.equal(one.engage.device.split(".")[0], two.engage.device.split(".")[0]);
    assert.equal(world.server.connections.length, 2);
    world.server.publish("ann", survey);
    await world.until(() => one.ids.length + two.ids.length);
    await world.clock.pass(1_000);
    assert.equal(one.ids.length + two.ids.length, 1, "the server shows it on one of them");
  });

  test("a tab that is reloaded is the device that it was", async () => {
    const tab = browser.open();
    const before = (await open(tab).open()).engage.device;
    tab.window.dispatchEvent(new Event("pagehide"));
    const after = (await open(tab).open()).engage.device;
    assert.equal(after, before);
  });
});

test("tabs that were told not to share don't", async () => {
  const tabs = [browser.open(), browser.open()];
  const [one, two] = tabs.map((tab) => world.connect({ device: undefined, tabs: false, environment: tab.environment })) as [Client, Client];
  await one.open();
  await two.open();
  assert.notEqual(one.engage.device, two.engage.device);
});

test("two users in one browser have nothing to do with each other", async () => {
  const ann = await open().open();
  const tab = browser.open();
  const bob = await world.connect({ device: undefined, getToken: () => world.server.token("bob"), environment: tab.environment }).open();
  world.server.publish("bob", survey);
  await bob.offered("nps");
  assert.deepEqual([ann.ids, world.server.connections.length], [[], 2]);
});

test("two devices in one browser, as in a demonstration, are two", async () => {
  const tab = browser.open();
  const [phone, laptop] = [await world.connect({ environment: tab.environment }).open(), await world.connect({ device: "laptop", environment: tab.environment }).open()];
  assert.deepEqual([phone.engage.device, laptop.engage.device, world.server.connections.length], ["phone", "laptop", 2]);
});
