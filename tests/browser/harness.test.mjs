// The harness itself: nodes that live and die, a browser that reaches them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser } from "./lib/browser.mjs";
import { startCluster } from "./lib/cluster.mjs";
import { startSite } from "./lib/site.mjs";
import { token } from "./lib/tokens.mjs";
import { until } from "./lib/wait.mjs";

let browser, site, cluster;

before(async () => {
  [browser, site] = await Promise.all([openBrowser(), startSite({ pages: { "/": "<!doctype html><title>a page</title>" } })]);
  cluster = await startCluster(3, { origins: [site.origin] });
});

after(async () => {
  await Promise.all([browser?.close(), cluster?.remove(), site?.close()]);
});

test("a page of another origin talks to a node, and the node's owner can die and come back", async () => {
  const page = await browser.newPage();
  await page.goto(site.origin);
  await cluster.api.publish("ann", { id: "first", payload: {} });
  const owner = await cluster.owner("ann");
  const [other] = await cluster.others("ann");
  const welcome = await page.evaluate(hello, { url: other.url, token: token("ann") });
  assert.equal(welcome.type, "welcome");
  assert.equal(welcome.user, "ann");
  await owner.kill();
  await cluster.led();
  assert.equal((await other.api.publish("ann", { id: "second", payload: {} })).status, "queued");
  await owner.start();
  await cluster.whole();
  await page.close();
  await until("the device is gone", async () => (await cluster.api.devices("ann")).length === 0);
});

function hello({ url, token }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/connect`, "engage.v1.json");
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token, device: "page" }));
    socket.onmessage = (event) => resolve([JSON.parse(event.data)].flat()[0]);
    socket.onerror = () => reject(new Error("the socket failed"));
  });
}
