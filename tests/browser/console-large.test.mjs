// The console before the largest cluster that it is made for: nine nodes and sixty-four shards, for minutes on end. The answers are made up; the page is a node's own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complaints, openBrowser, shot } from "./lib/browser.mjs";
import { figures, histogram, measures, node } from "./lib/console-samples.mjs";
import { startNode } from "./lib/node.mjs";
import { ADMIN_KEY } from "./lib/tokens.mjs";
import { until } from "./lib/wait.mjs";

const NODES = 9;
const SHARDS = 64;
/** Looks that the page is made to take, a second of its time apart. */
const LOOKS = 40;

let browser, served;

before(async () => {
  [browser, served] = await Promise.all([openBrowser(), startNode()]);
});

after(async () => {
  await Promise.all([browser?.close(), served?.remove()]);
});

const name = (number) => `n${1 + (number % NODES)}`;
const voters = (shard) => [0, 2, 5].map((step) => name(shard + step));

function cluster() {
  const shards = Array.from({ length: SHARDS }, (_, shard) => {
    const odd = { 17: { leader: null, lag: null }, 40: { learners: [name(3)], lag: 4_200 } }[shard];
    return {
      shard,
      leader: name(shard),
      term: 3,
      voters: voters(shard),
      learners: [],
      applied_index: 12_345_678 + shard,
      users: 15_000 + 37 * shard,
      lag: shard % 5,
      ...odd,
    };
  });
  const count = (is) => shards.filter(is).length;
  const nodes = Array.from({ length: NODES }, (_, index) => {
    const own = name(index);
    const state = { 6: "unreachable", 7: "draining" }[index] ?? "ready";
    const replicas = count((shard) => shard.voters.includes(own));
    return node(index + 1, {
      state,
      leaders: count((shard) => shard.leader === own),
      replicas,
      connections: state === "unreachable" ? null : 11_000 + 131 * index,
    });
  });
  return { cluster_id: "large", nodes, shards };
}

function all(second) {
  const busy = second - 6 * Math.cos(second / 8);
  const one = (index) => {
    const counts = { offers: Math.round(900 * busy) + 10_000, publishes: { queued: 800 * second }, acks: { confirm: Math.round(850 * busy) + 10_000 } };
    const times = {
      confirm: histogram({ 5: 700 * second, 6: 120 * second, 8: 20 * second }),
      commit: histogram({ 4: 900 * second, 7: 12 * second }),
      log_sync: histogram({ 3: 300 * second, 5: 9 * second }),
    };
    const links = Array.from({ length: NODES }, (_, other) => other).filter((other) => other !== index);
    const link = (other) => ({
      node: name(other),
      up: other !== 6,
      opened: 1,
      round_trip: histogram({ [3 + ((index + other) % 3)]: 2 * second }),
      queued_bytes: 0,
      in_bytes: 0,
      out_bytes: 90_000 * second + other,
      not_sent: 0,
    });
    const owned = Array.from({ length: SHARDS }, (_, shard) => shard).filter((shard) => name(shard) === name(index) && shard !== 17);
    const shards = owned.map((shard) => ({
      shard,
      quorum_age_ms: 20 + shard,
      queued: 0,
      lags: {},
      buffered_deliveries: 4_000 + shard,
      buffered_bytes: 3e6,
      ledger_bytes: 2e7,
    }));
    return measures(index + 1, 1_000 + second, {
      counts,
      times,
      figures: {
        links: links.map(link),
        shards,
        connections: { websocket: 11_000 + 131 * index },
        memory_bytes: 9e8,
        bounds: { replication: 3, connections: 50_000, open_files: 60_000, ledger_bytes_per_shard: 1e9, shard_queue_commands: 16_384 },
      },
    });
  };
  return {
    ...figures(second),
    nodes: Array.from({ length: NODES }, (_, index) => ({ name: name(index), id: index + 1, clock_ahead_ms: 0, figures: index === 6 ? null : one(index) })),
  };
}

test("nine nodes and sixty-four shards fit on the page, and it does not grow with the minutes", async () => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const bad = complaints(page);
  await page.clock.install();
  let looks = 0;
  await page.route("**/v1/cluster", (route) => route.fulfill({ json: cluster() }));
  await page.route("**/v1/cluster/figures", (route) => route.fulfill({ json: all((looks += 1)) }));
  await page.goto(`${served.url}/console`);
  await page.getByLabel(/API key/).fill(ADMIN_KEY);
  await page.keyboard.press("Enter");
  const main = page.getByRole("main");
  await until("it has begun to look", () => looks > 0);
  const elements = () => page.evaluate(() => document.querySelectorAll("*").length);
  let early = 0;
  for (let look = 0; look < LOOKS; look += 1) {
    const seen = looks;
    await page.clock.runFor(1_000);
    await until("it looks on", () => looks > seen);
    if (look === 15) early = await elements();
  }
  assert.ok((await elements()) <= early + 5, "the page grows");
  await main.getByText("n7 can't be reached.").waitFor();
  await main.getByText("Shard 17 has no leader.").waitFor();
  await shot(page, "console-large-overview");
  for (const [view, waited] of [
    ["Nodes", "Links"],
    ["Shards", "Where they lie"],
  ]) {
    await page.getByRole("navigation").getByRole("link", { name: view }).click();
    await main.getByRole("heading", { name: waited }).waitFor();
    await page.clock.runFor(1_000);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await shot(page, `console-large-${view.toLowerCase()}-${colorScheme}`, { fullPage: true });
    }
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${view} is wider than the page`);
  }
  await page.getByLabel("only those that want a look").check();
  await until("two shards want a look", async () => (await page.getByRole("table", { name: "Shards of the cluster" }).getByRole("rowheader").count()) === 2);
  assert.deepEqual(bad, []);
  await context.close();
});
