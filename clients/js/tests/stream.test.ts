/**
 * Server-sent events and posts, where WebSockets can't be had.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Environment } from "@engage/client";
import { store } from "./lib/browser.ts";
import { outcome, World } from "./lib/setup.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.end());

const survey = { id: "nps", steps: 3 };

test("a stream does all that a WebSocket does", async () => {
  world.server.publish("ann", survey);
  const client = world.connect({ transport: "stream" });
  const delivery = await client.offered("nps");
  assert.equal((await delivery.step(1, { q1: 9 })).step, 1);
  world.server.loseNextConfirm();
  const answer = outcome(delivery.step(2));
  await world.clock.pass(500);
  world.server.cut();
  await world.until(() => answer.isSettled);
  assert.equal(answer.value?.step, 2);
  assert.deepEqual(client.ids, ["nps"]);
  world.server.withdraw("ann", "nps");
  await world.until(() => delivery.signal.aborted);
});

test("where WebSockets are blocked the client finds the stream, and remembers it", async () => {
  const storage = store();
  world.server.blockWebSockets();
  const first = await world.connect({ storage }).open();
  assert.equal(first.engage.state.name === "open" && first.engage.state.transport, "stream");
  await first.engage.close();
  const states: string[] = [];
  const second = world.connect({ storage });
  second.engage.on("state", (state) => "transport" in state && states.push(`${state.name} ${state.transport}`));
  await second.open();
  assert.deepEqual(states, ["connecting stream", "open stream"]);
  await second.engage.close();
  world.server.blockWebSockets(false);
  await world.clock.pass(3_600_000);
  const third = await world.connect({ storage }).open();
  assert.equal(third.engage.state.name === "open" && third.engage.state.transport, "websocket", "an hour later it tries again");
});

test("a platform without WebSocket uses the stream at once", async () => {
  const client = await world.connect({ environment: { WebSocket: undefined } }).open();
  assert.equal(client.engage.state.name === "open" && client.engage.state.transport, "stream");
  assert.equal(world.heard("hello").length, 1);
});

test("a platform without streams, like React Native, stays with WebSockets", async () => {
  const client = world.connect({ environment: { fetch: undefined } });
  world.server.blockWebSockets();
  await world.clock.pass(60_000);
  world.server.blockWebSockets(false);
  await client.open();
  assert.equal(client.engage.state.name === "open" && client.engage.state.transport, "websocket");
});

/** A `fetch` that gives these answers, and notes what it was asked. */
function answering(...answers: (() => Response | Promise<Response>)[]): { fetch: Environment["fetch"]; asked: { path: string; body: string }[] } {
  const asked: { path: string; body: string }[] = [];
  const fetch: Environment["fetch"] = (input, init) => {
    asked.push({ path: new URL(String(input)).pathname, body: String(init?.body) });
    return Promise.resolve((answers.shift() ?? (() => new Response(null, { status: 503 })))());
  };
  return { fetch, asked };
}

test("a status that says why is taken at its word", async () => {
  const problem = (status: number) => () => new Response(JSON.stringify({ code: "x" }), { status });
  const forbidden = answering(problem(403));
  const client = world.connect({ transport: "stream", environment: { fetch: forbidden.fetch } });
  await world.until(() => client.engage.state.name === "closed");
  assert.equal(client.engage.state.name === "closed" && client.engage.state.code, "forbidden");
  const refused: string[] = [];
  const unauthorized = answering(problem(401), problem(503), problem(503));
  world.connect({ transport: "stream", environment: { fetch: unauthorized.fetch }, getToken: (why) => (refused.push(why), "e30.e30.x") });
  await world.until(() => unauthorized.asked.length >= 3);
  assert.deepEqual(refused, ["start", "refused"], "503 says nothing about the token");
});

test("events that come in pieces, in any cut, are put together", async () => {
  const welcome = { type: "welcome", user: "ann", device: "phone", connection: "c", node: "n", window: { id: "w", opened_at: 0, closes_at: 1 }, server_time: 0, heartbeat_ms: 25_000, max_in_flight: 16, acks: [] };
  const offer = { type: "offer", id: "tür", window: "w", scope: "user", offer: 1, step: 1, steps: 2, settle_on: "completed", data: null, payload: "€", priority: 0, expires_in_ms: 1, at: 0 };
  const bytes = new TextEncoder().encode(`:\n\ndata: ${JSON.stringify(welcome)}\n\n:\n\ndata:${JSON.stringify([offer, { type: "caught_up" }])}\n\n`);
  for (const size of [1, 2, 3, 7, 64, 10_000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.slice(n * size, (n + 1) * size));
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece);
      },
    });
    const client = world.connect({ transport: "stream", environment: { fetch: answering(() => new Response(body)).fetch } });
    assert.equal((await client.offered("tür")).payload, "€", `in pieces of ${size}`);
    await client.engage.close();
  }
});

test("a stream that makes no sense is left", async () => {
  const nonsense = answering(() => new Response("data: {nonsense\n\n"));
  const client = world.connect({ transport: "stream", environment: { fetch: nonsense.fetch } });
  await world.until(() => client.engage.state.name === "waiting");
  assert.equal(client.engage.state.name === "waiting" && client.engage.state.code, "lost");
});

test("posts go one after the other, under the device and token of the stream", async () => {
  world.server.publish("ann", survey);
  let open = 0;
  const { fetch } = world.environment as Environment;
  const bodies: { token: string; device: string }[] = [];
  const counting: Environment["fetch"] = async (input, init) => {
    if (!String(input).endsWith("/v1/messages")) return fetch(input, init);
    bodies.push(JSON.parse(String(init?.body)) as { token: string; device: string });
    assert.equal(++open, 1, "one at a time");
    await world.clock.settle();
    const answer = await fetch(input, init);
    open--;
    return answer;
  };
  const client = world.connect({ transport: "stream", environment: { fetch: counting } });
  const delivery = await client.offered("nps");
  await Promise.all([delivery.shown(), delivery.step(1), delivery.step(2)]);
  assert.ok(bodies.length > 0 && bodies.every(({ token, device }) => token === world.server.token("ann") && device === "phone"));
});
