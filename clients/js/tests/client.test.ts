/**
 * What the client promises to an app: offers, acks, confirms, the outbox, what leaves the screen and when. Against the built package and a server in memory.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { store } from "./lib/browser.ts";
import { outcome, World } from "./lib/setup.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

const survey = { id: "nps", payload: { title: "Two questions" }, steps: 3 };

describe("an offer", () => {
  test("becomes a delivery with all that the app needs", async () => {
    world.server.publish("ann", { ...survey, priority: 3 });
    const delivery = await world.connect().offered("nps");
    const { id, window, scope, offer, nextStep, steps, settleOn, data, payload, priority, resumed, state, expiresInMs } = delivery;
    assert.deepEqual(
      { id, window, scope, offer, nextStep, steps, settleOn, data, payload, priority, resumed, state, expiresInMs },
      { id: "nps", window: "w-ann", scope: "user", offer: 1, nextStep: 1, steps: 3, settleOn: "completed", data: null, payload: survey.payload, priority: 3, resumed: false, state: "offered", expiresInMs: 86_400_000 },
    );
    assert.equal(delivery.signal.aborted, false);
  });

  test("waits until somebody listens", async () => {
    world.server.publish("ann", survey);
    const { engage } = world.connect({}, false);
    const heard: string[] = [];
    await world.until(() => engage.state.name === "open");
    engage.on("offer", ({ id }) => heard.push(id));
    await world.clock.settle();
    assert.deepEqual(heard, ["nps"]);
  });

  test("goes on where another device stopped", async () => {
    world.server.publish("ann", survey);
    const phone = world.connect();
    await (await phone.offered("nps")).step(1, { q1: 9 });
    await phone.engage.close();
    const delivery = await world.connect({ device: "laptop" }).offered("nps");
    assert.deepEqual([delivery.nextStep, delivery.data, delivery.resumed, delivery.offer], [2, { q1: 9 }, true, 2]);
  });
});

describe("an ack", () => {
  test("resolves with the server's confirm, never before", async () => {
    world.server.publish("ann", { id: "banner" });
    const client = world.connect();
    const delivery = await client.offered("banner");
    world.server.loseNextConfirm();
    const answer = outcome(delivery.shown());
    await world.clock.pass(3_000);
    assert.equal(world.server.delivery("ann", "banner")?.state, "completed", "it is recorded");
    assert.equal(answer.isSettled, false, "but nobody has said so");
    world.server.cut();
    await world.until(() => answer.isSettled);
    assert.equal(answer.value?.yours, true);
    assert.equal(answer.value?.settled, true);
    assert.equal(client.engage.pending, 0);
  });

  test("that can't be sent is kept, and sent in the next hello", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.stop();
    const answer = outcome(delivery.step(1, { q1: 9 }));
    await world.clock.pass(10_000);
    assert.equal(client.engage.pending, 1);
    world.server.start();
    await world.until(() => answer.isSettled);
    const hello = world.heard("hello").at(-1);
    assert.deepEqual(hello?.acks, [{ id: "nps", window: "w-ann", step: 1, data: { q1: 9 } }]);
    assert.deepEqual(hello?.open, [{ id: "nps", window: "w-ann" }]);
    assert.deepEqual(client.ids, ["nps"], "what is on the screen is not offered again");
  });

  test("of a later step takes the place of one that was not sent, and keeps its data", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.stop();
    const answers = [outcome(delivery.shown()), outcome(delivery.step(1, { q1: 9 })), outcome(delivery.step(2))];
    await world.clock.pass(2_000);
    assert.equal(client.engage.pending, 1);
    world.server.start();
    await world.until(() => answers.every(({ isSettled }) => isSettled));
    assert.deepEqual(world.heard("hello").at(-1)?.acks, [{ id: "nps", window: "w-ann", step: 2, data: { q1: 9 } }]);
    assert.deepEqual(
      answers.map(({ value }) => value?.step),
      [2, 2, 2],
    );
  });

  test("that is refused for good rejects with its code, and is not sent again", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.refuseNext("unknown_delivery");
    await assert.rejects(delivery.step(1), { name: "EngageError", code: "unknown_delivery", retry: false });
    assert.ok(client.told.includes("error unknown_delivery"));
    world.server.cut();
    await world.clock.pass(5_000);
    assert.deepEqual(world.heard("hello").at(-1)?.acks, []);
  });

  test("that is refused for a while is sent again by itself", async () => {
    world.server.publish("ann", survey);
    const delivery = await world.connect().offered("nps");
    world.server.refuseNext("unavailable", true);
    world.server.refuseNext("unavailable", true);
    const answer = outcome(delivery.step(1));
    await world.clock.pass(500);
    assert.equal(world.heard("ack").length, 1, "not at once");
    await world.until(() => answer.isSettled);
    assert.equal(answer.value?.step, 1);
    assert.equal(world.heard("ack").length, 3);
  });

  test("of a step that there is not, or with data that is too large, is refused here", async () => {
    world.server.publish("ann", survey);
    const delivery = await world.connect().offered("nps");
    await assert.rejects(delivery.step(4), { code: "step_out_of_range" });
    await assert.rejects(delivery.step(NaN), { code: "step_out_of_range" });
    await assert.rejects(delivery.step(1, "ä".repeat(2_048)), { code: "too_large" });
    assert.equal(world.heard("ack").length, 0);
    assert.equal((await delivery.step(1, "ä".repeat(2_047))).step, 1);
  });

  test("that nobody looks at does not end the process when it fails", async () => {
    world.server.publish("ann", survey);
    const delivery = await world.connect().offered("nps");
    world.server.refuseNext("unknown_delivery");
    void delivery.shown();
    void delivery.step(17);
    await world.clock.pass(100);
  });

  test("a full outbox says so at once, and keeps what it has", async () => {
    const deliveries = Array.from({ length: 257 }, (_, n) => ({ id: `e${n}`, steps: 2 }));
    const client = world.connect({ maxInFlight: 256 });
    for (const one of deliveries.slice(0, 256)) world.server.publish("ann", one);
    await world.until(() => client.offers.length === 256);
    world.server.stop();
    for (const delivery of client.offers) void delivery.step(1);
    assert.equal(client.engage.pending, 256);
    const last = outcome(client.offers[0]?.dismiss() ?? Promise.reject());
    await world.clock.settle();
    assert.equal(last.code, "outbox_full");
    world.server.start();
    await world.until(() => client.engage.pending === 0);
    assert.ok(world.server.deliveries("ann").every(({ step }) => step === 1));
  });

  test("many of them leave no faster than a node takes them, and in frames of its size", async () => {
    const client = world.connect({ maxInFlight: 256 });
    let burst = 0;
    for (let n = 0; n < 256; n++) world.server.publish("ann", { id: `e${n}`, steps: 2 });
    await world.until(() => client.offers.length === 256);
    world.server.stop();
    for (const delivery of client.offers) void delivery.step(1, "x".repeat(4_000));
    world.server.start();
    await client.open();
    client.engage.on("message", ({ direction, message }) => {
      if (direction === "out" && message.type === "ack") burst++;
    });
    const hello = world.heard("hello").at(-1);
    assert.ok(JSON.stringify(hello).length < 65_536, "the hello fits into a frame");
    await world.until(() => client.engage.pending === 0);
    assert.ok(burst > 200, `${burst} acks came after the hello`);
    assert.ok(world.server.deliveries("ann").every(({ step }) => step === 1));
  });
});

describe("the screen", () => {
  test("a survey leaves it when it is completed, a banner stays until it is closed", async () => {
    world.server.publish("ann", survey);
    world.server.publish("ann", { id: "banner" });
    const client = world.connect();
    const [nps, banner] = [await client.offered("nps"), await client.offered("banner")];
    await banner.shown();
    assert.deepEqual(client.engage.deliveries, [nps, banner]);
    assert.equal(banner.state, "completed");
    await nps.complete();
    assert.deepEqual(client.engage.deliveries, [banner]);
    banner.close();
    assert.deepEqual(client.engage.deliveries, []);
  });

  test("what is dismissed leaves it at once, also without a connection", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.stop();
    const answer = outcome(delivery.dismiss());
    assert.deepEqual(client.engage.deliveries, []);
    world.server.start();
    await world.until(() => answer.isSettled);
    assert.equal(answer.value?.state, "dismissed");
    assert.deepEqual(client.ids, ["nps"], "and is not offered again on the way");
  });

  test("a banner that was shown is dismissed without another word to the server", async () => {
    world.server.publish("ann", { id: "banner" });
    const client = world.connect();
    const banner = await client.offered("banner");
    await banner.shown();
    assert.equal((await banner.dismiss()).state, "completed");
    assert.deepEqual([world.heard("dismiss"), client.engage.deliveries], [[], []]);
  });

  test("what is withdrawn leaves it, and says why in every way", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    const own: string[] = [];
    delivery.on("withdraw", (reason) => own.push(reason));
    world.server.withdraw("ann", "nps");
    await world.until(() => delivery.signal.aborted);
    assert.equal(delivery.signal.reason, "withdrawn");
    assert.deepEqual(own, ["withdrawn"]);
    assert.ok(client.told.includes("withdraw nps withdrawn"));
    assert.deepEqual(client.engage.deliveries, []);
  });

  test("what expires says that as well", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    let expired = 0;
    delivery.on("expire", () => expired++);
    world.server.expire("ann", "nps");
    await world.until(() => delivery.signal.aborted);
    assert.equal(expired, 1);
    assert.ok(client.told.includes("expire nps") && client.told.includes("withdraw nps expired"));
  });

  test("what ended while the line was down leaves it at the next welcome", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.stop();
    world.server.withdraw("ann", "nps");
    world.server.start();
    await world.until(() => delivery.signal.aborted);
    assert.equal(delivery.signal.reason, "withdrawn");
  });

  test("an ack of what ended elsewhere is answered, and takes it off the screen", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    world.server.stop();
    world.server.expire("ann", "nps");
    const answer = outcome(delivery.step(1));
    world.server.start();
    await world.until(() => answer.isSettled);
    assert.deepEqual([answer.value?.state, answer.value?.yours], ["expired", false]);
    assert.equal(delivery.signal.reason, "expired");
    assert.deepEqual(client.engage.deliveries, []);
  });

  test("shows the progress of other devices", async () => {
    world.server.publish("ann", { ...survey, targets: "all" });
    const [phone, laptop] = [world.connect(), world.connect({ device: "laptop" })];
    const [here, there] = [await phone.offered("nps"), await laptop.offered("nps")];
    await there.step(1, { q1: 9 });
    await world.until(() => here.nextStep === 2);
    assert.deepEqual([here.data, here.resumed], [{ q1: 9 }, false]);
    assert.ok(phone.told.includes("progress nps 2"));
    assert.ok(!laptop.told.includes("progress nps 2"), "who did it is not told");
    await there.complete();
    await world.until(() => here.signal.aborted);
    assert.equal(here.signal.reason, "done_elsewhere");
  });

  test("what is snoozed comes again as a new delivery", async () => {
    world.server.publish("ann", { ...survey, snooze: "4h" });
    const client = world.connect();
    const first = await client.offered("nps");
    const answer = await first.dismiss();
    assert.deepEqual([answer.settled, answer.yours], [false, false]);
    world.server.wake("ann");
    await world.until(() => client.offers.length === 2);
    assert.notEqual(client.offers[1], first);
    assert.equal(client.offers[1]?.offer, 2);
  });
});

describe("claim", () => {
  test("says to show it, when this device has it", async () => {
    world.server.publish("ann", { id: "banner", targets: "all" });
    const [phone, laptop] = [world.connect(), world.connect({ device: "laptop" })];
    const [here, there] = [await phone.offered("banner"), await laptop.offered("banner")];
    const claims = await Promise.all([here.claim(), there.claim()]);
    assert.deepEqual(claims.map(({ show }) => show).sort(), [false, true], "one of two");
  });

  test("still says so, when the first confirm was lost", async () => {
    world.server.publish("ann", { id: "banner" });
    const delivery = await world.connect().offered("banner");
    world.server.loseNextConfirm();
    const claim = outcome(delivery.claim());
    await world.clock.pass(1_000);
    world.server.cut();
    await world.until(() => claim.isSettled);
    assert.equal(claim.value?.show, true);
  });

  test("of a survey says so, as long as it is not over", async () => {
    world.server.publish("ann", survey);
    const delivery = await world.connect().offered("nps");
    assert.deepEqual(await delivery.claim().then(({ show, settled }) => ({ show, settled })), { show: true, settled: false });
  });
});

describe("one at a time", () => {
  test("the most important first, the next one when there is room", async () => {
    for (const [id, priority] of [["low", -5], ["first", 0], ["second", 0], ["high", 5]] as const) world.server.publish("ann", { id, priority, steps: 2 });
    const client = world.connect({ show: 1 });
    for (const id of ["high", "first", "second", "low"]) {
      const delivery = await client.offered(id);
      assert.deepEqual(client.engage.deliveries, [delivery]);
      await delivery.complete();
    }
    assert.deepEqual(client.ids, ["high", "first", "second", "low"]);
  });

  test("a banner keeps its place until the app closes it", async () => {
    world.server.publish("ann", { id: "one" });
    world.server.publish("ann", { id: "two" });
    const client = world.connect({ show: 1 });
    const one = await client.offered("one");
    await one.shown();
    await world.clock.pass(5_000);
    assert.deepEqual(client.ids, ["one"]);
    one.close();
    await client.offered("two");
  });

  test("what waits here is held, not offered again, and not shown when it is withdrawn meanwhile", async () => {
    for (const id of ["one", "two", "three"]) world.server.publish("ann", { id, steps: 2 });
    const client = world.connect({ show: 1 });
    const one = await client.offered("one");
    world.server.cut();
    await world.clock.pass(2_000);
    assert.deepEqual(world.heard("hello").at(-1)?.open, ["one", "two", "three"].map((id) => ({ id, window: "w-ann" })));
    world.server.withdraw("ann", "two");
    await world.clock.settle();
    assert.deepEqual(client.told.filter((what) => what.startsWith("withdraw")), []);
    await one.dismiss();
    await client.offered("three");
    assert.ok(!client.ids.includes("two"));
    assert.equal(world.server.delivery("ann", "three")?.offers, 1);
  });

  test("n at a time are n", async () => {
    for (let n = 0; n < 5; n++) world.server.publish("ann", { id: `e${n}`, steps: 2 });
    const client = world.connect({ show: 2 });
    await world.clock.pass(1_000);
    assert.equal(client.offers.length, 2);
  });
});

describe("the outbox survives", () => {
  test("a reload: what was not confirmed goes out in the next page's hello, and is not shown again", async () => {
    const storage = store();
    world.server.publish("ann", { id: "banner" });
    world.server.publish("ann", survey);
    const before = world.connect({ storage });
    const [banner, nps] = [await before.offered("banner"), await before.offered("nps")];
    world.server.stop();
    const answers = [outcome(banner.shown()), outcome(nps.step(2, { q2: 1 }))];
    await world.clock.pass(100);
    await before.engage.close();
    assert.deepEqual(
      answers.map(({ code }) => code),
      ["closed", "closed"],
    );
    world.server.start();
    const after = world.connect({ storage });
    const again = await after.offered("nps");
    assert.deepEqual(after.ids, ["nps"], "the banner was seen");
    assert.deepEqual([again.nextStep, again.data], [3, { q2: 1 }]);
    assert.deepEqual(world.heard("hello").at(-1)?.open, [], "after a reload nothing is on the screen");
    assert.equal(after.engage.pending, 0);
    assert.equal(storage.all.get("engage:outbox:ann\nphone"), "[]");
  });

  test("a reload with a dismissal, which no hello can carry: it is said before anything is shown", async () => {
    const storage = store();
    world.server.publish("ann", survey);
    const before = world.connect({ storage });
    const delivery = await before.offered("nps");
    world.server.stop();
    void delivery.dismiss();
    await before.engage.close();
    world.server.start();
    const after = await world.connect({ storage }).open();
    await world.until(() => world.server.delivery("ann", "nps")?.state === "dismissed");
    assert.deepEqual(after.ids, []);
  });

  test("a killed tab, which says nothing at all", async () => {
    const storage = store();
    world.server.publish("ann", { id: "banner" });
    const before = world.connect({ storage });
    const delivery = await before.offered("banner");
    world.server.stop();
    void delivery.shown();
    await world.clock.settle();
    const copy = store();
    for (const [key, value] of storage.all) copy.setItem(key, value);
    world.server.start();
    const after = await world.connect({ storage: copy, device: "phone" }).open();
    await world.until(() => world.server.delivery("ann", "banner")?.state === "completed");
    assert.deepEqual(after.ids, []);
  });

  test("another user: acks of one are never sent for the other", async () => {
    const storage = store();
    world.server.publish("ann", survey);
    const ann = world.connect({ storage });
    const delivery = await ann.offered("nps");
    world.server.stop();
    void delivery.step(1);
    await ann.engage.close();
    world.server.start();
    const bob = await world.connect({ storage, getToken: () => world.server.token("bob") }).open();
    assert.deepEqual([world.heard("hello").at(-1)?.acks, bob.engage.user, bob.engage.pending], [[], "bob", 0]);
    await bob.engage.close();
    const again = await world.connect({ storage }).offered("nps");
    assert.equal(again.nextStep, 2);
  });

  test("a client whose token becomes another user's is closed, and shows nothing more", async () => {
    let user = "ann";
    world.server.publish("ann", survey);
    const client = world.connect({ getToken: () => world.server.token(user) });
    const delivery = await client.offered("nps");
    user = "bob";
    world.server.revoke(world.server.token("ann"));
    await world.until(() => client.engage.state.name === "closed");
    assert.equal(client.engage.state.name === "closed" && client.engage.state.code, "other_user");
    assert.equal(delivery.signal.reason, "closed");
    assert.equal(world.server.connections.length, 0);
  });

  test("a store that fails: the client says so, and goes on", async () => {
    const storage = {
      getItem: () => Promise.reject(new Error("the disk is gone")),
      setItem: () => {
        throw new Error("the disk is full");
      },
    };
    world.server.publish("ann", { id: "banner" });
    const client = world.connect({ storage });
    await (await client.offered("banner")).shown();
    assert.ok(client.told.includes("error storage"));
  });

  test("a store that never answers", async () => {
    const client = world.connect({ storage: { getItem: () => new Promise(() => {}), setItem: () => new Promise(() => {}) } });
    await client.open();
    assert.ok(client.told.includes("error storage"));
  });

  test("a store that holds nonsense", async () => {
    const storage = store();
    storage.setItem("engage:outbox:ann\nphone", "{nonsense");
    await world.connect({ storage }).open();
  });
});

describe("the rest", () => {
  test("ready resolves with the welcome, and rejects when the client is closed", async () => {
    const { engage } = world.connect();
    const ready = engage.ready();
    await world.clock.pass(100);
    const welcome = await ready;
    assert.deepEqual([welcome.user, welcome.device, welcome.node, welcome.window.id, welcome.transport], ["ann", "phone", "fake", "w-ann", "websocket"]);
    assert.equal(await engage.ready(), welcome);
    await engage.close();
    await assert.rejects(engage.ready(), { code: "closed" });
  });

  test("a closed client refuses what is said, and stays closed", async () => {
    world.server.publish("ann", survey);
    const client = world.connect();
    const delivery = await client.offered("nps");
    await client.engage.close();
    await assert.rejects(delivery.step(1), { code: "closed" });
    assert.equal(delivery.signal.reason, "closed");
    client.engage.reconnect();
    await world.clock.pass(60_000);
    assert.equal(client.engage.state.name, "closed");
    assert.equal(world.server.connections.length, 0);
  });

  test("a device that is replaced closes, and may come back when the app says so", async () => {
    const first = await world.connect().open();
    const second = await world.connect().open();
    await world.until(() => first.engage.state.name === "closed");
    assert.equal(first.engage.state.name === "closed" && first.engage.state.code, "replaced");
    await world.clock.pass(60_000);
    assert.ok(second.isOpen);
    first.engage.reconnect();
    await first.open();
    assert.equal(second.engage.state.name, "closed");
  });

  test("a refused token is replaced by the app's next one", async () => {
    const asked: string[] = [];
    let revision = 0;
    const client = world.connect({
      getToken: (why) => {
        asked.push(why);
        return world.server.token("ann", { exp: world.clock.now / 1000 + 3600 + revision++ });
      },
    });
    await client.open();
    world.server.revoke(world.server.token("ann", { exp: world.clock.now / 1000 + 3600 }));
    await world.clock.settle();
    assert.ok(!client.isOpen);
    await client.open();
    assert.deepEqual(asked, ["start", "refused"]);
  });

  test("a token is renewed before it ends, and the connection stays", async () => {
    const asked: string[] = [];
    const client = world.connect({
      getToken: (why) => {
        asked.push(why);
        return world.server.token("ann", { exp: Math.floor(world.clock.now / 1000) + 600 });
      },
    });
    await client.open();
    await world.clock.pass(1_900_000);
    assert.deepEqual(asked, ["start", "expiring", "expiring", "expiring"]);
    assert.equal(world.heard("hello").length, 1);
  });

  test("notices are told, and what was seen is said", async () => {
    const client = await world.connect().open();
    client.engage.on("notice", (notice) => notice.seen());
    assert.equal(world.server.notice("ann", "flash", { text: "now" }), 1);
    await world.until(() => world.heard("seen").length);
    assert.deepEqual(world.heard("seen"), [{ type: "seen", id: "flash" }]);
    assert.ok(client.told.includes("notice flash"));
  });

  test("visibility is said when it changes, and in the hello", async () => {
    const client = await world.connect({ visible: false }).open();
    world.server.publish("ann", survey);
    await world.clock.pass(1_000);
    assert.equal(world.heard("hello")[0]?.visible, false);
    assert.deepEqual(client.ids, []);
    client.engage.setVisible(true);
    await client.offered("nps");
    client.engage.setVisible(false);
    await world.until(() => world.heard("visible").length === 2);
    assert.deepEqual(
      world.heard("visible").map(({ visible }) => visible),
      [true, false],
    );
  });

  test("every message is told, without the token", async () => {
    const seen: string[] = [];
    const client = world.connect();
    client.engage.on("message", ({ direction, message }) => seen.push(`${direction} ${JSON.stringify(message)}`));
    await client.open();
    assert.match(seen[0] ?? "", /^out \{"type":"hello","token":"…"/);
    assert.match(seen[1] ?? "", /^in \{"type":"welcome"/);
    assert.ok(!seen.join().includes(world.server.token("ann")));
  });

  test("deliveries are a new list at every change, for views that compare", async () => {
    const client = world.connect();
    let changes = 0;
    client.engage.on("change", () => changes++);
    world.server.publish("ann", survey);
    const delivery = await client.offered("nps");
    const before = client.engage.deliveries;
    await delivery.step(1);
    assert.notEqual(client.engage.deliveries, before);
    assert.ok(changes > 0);
  });
});
