// `/asyncapi.json` against what real nodes say and take: a conversation that has every message of the client protocol in it, in both directions, over all three ways in.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import Ajv from "ajv";
import asyncapi from "@asyncapi/specs/schemas/3.0.0-without-$id.json" with { type: "json" };
import { Protocol, fetchDocument } from "./lib/documents.mjs";
import { startNode } from "./lib/node.mjs";
import { SocketTalk, StreamTalk, post } from "./lib/talk.mjs";
import { token } from "./lib/tokens.mjs";

const CONTRACT = new URL("../../docs/CONTRACT.md", import.meta.url);

/** Close codes that no client can bring about on demand; `tests/node/protocol/slow.rs` and the simulation do. */
const NOT_ON_DEMAND = ["slow_consumer", "unavailable", "internal"];

let node, document, protocol;

before(async () => {
  node = await startNode({
    settings: {
      "window.length": "4s",
      "window.carry": "0ms",
      "limits.hello_timeout": "400ms",
      "limits.max_frame": "8KiB",
      "limits.messages_per_second": "20",
      "limits.connections_per_user": "2",
    },
  });
  document = await fetchDocument(node, "asyncapi");
  protocol = new Protocol(document);
});

after(async () => {
  await node?.remove();
});

test("the document is valid AsyncAPI 3.0", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  assert.ok(ajv.validate(asyncapi, document), JSON.stringify(ajv.errors?.slice(0, 5), null, 1));
});

test("every message that the contract shows is as the document describes it", async () => {
  const shown = (await readFile(CONTRACT, "utf8")).split("## 8. Client protocol")[1].split("## 9.")[0];
  const [fromClient, fromServer] = [...shown.matchAll(/^```\n([\s\S]*?)^```/gm)].map((block) => block[1]);
  for (const [direction, block] of [["client", fromClient], ["server", fromServer]]) {
    const types = block.trim().split("\n").map((line) => {
      const json = line.replace(/\}\s+\(.*\)\s*$/, "}").replace(/\[<.*>\]/, "[]");
      return protocol.judge(direction, JSON.parse(json))[0].type;
    });
    assert.deepEqual(types.sort(), protocol.types(direction).sort(), `the contract and the document know the same ${direction} messages`);
  }
});

test("a real conversation holds every message in both directions, each as described", async () => {
  const spoken = new Protocol(document);
  await conversationOfTwoDevices(spoken);
  await conversationOfOneThatComesBack(spoken);
  await conversationByStream(spoken);
  for (const direction of ["client", "server"]) {
    const missing = spoken.types(direction).filter((type) => !spoken.heard[direction].has(type));
    assert.deepEqual(missing, [], `never heard from the ${direction}`);
  }
});

test("every end of a connection has the close code that the document names, after the word for it", async () => {
  const told = new Map();
  for (const { close, codes } of document.channels.connect["x-close-codes"]) for (const { code } of codes) told.set(code, close);
  const met = new Set(NOT_ON_DEMAND);
  const ends = async (code, talk, word = "error") => {
    await talk.hear(word, (message) => message.code === code);
    assert.deepEqual([code, (await talk.ended()).code], [code, told.get(code)]);
    met.add(code);
  };
  await ends("hello_timeout", await SocketTalk.connect(node, protocol));
  await ends("bad_message", await shouting("[]}"));
  await ends("unauthorized", await saying({ type: "hello", device: "d1", token: "not-a-token" }));
  await ends("token_expired", await saying({ type: "hello", device: "d1", token: token("ann", { seconds: -60 }) }));
  await ends("forbidden", await saying({ type: "hello", device: "d2", token: token("ann", { device: "d1" }) }));
  await ends("too_large", await shouting(JSON.stringify({ type: "ping", more: "x".repeat(10_000) })));
  const first = await arrived("ann", "d1", protocol);
  const second = await arrived("ann", "d1", protocol);
  await ends("replaced", first, "bye");
  await arrived("ann", "d2", protocol);
  await ends("too_many_connections", await saying(hello("ann", "d3")));
  for (let count = 0; count < 400; count += 1) second.shout('{"type":"ping"}');
  await ends("rate_limited", second);
  const forgotten = await arrived("bob", "d1", protocol);
  await node.api.call("DELETE", "/v1/users/bob");
  await ends("forbidden", forgotten, "bye");
  const last = await arrived("cid", "d1", protocol);
  const stopped = node.stop();
  await ends("draining", last, "bye");
  await stopped;
  assert.deepEqual([...met].sort(), [...told.keys()].sort());
});

/** Two devices of one user: progress, withdrawals of all four kinds, a notice. */
async function conversationOfTwoDevices(spoken) {
  const user = "two";
  const one = await arrived(user, "one", spoken);
  const two = await arrived(user, "two", spoken);

  await node.api.publish(user, { id: "both", payload: { q: 1 }, steps: 3, targets: "all", window: "1h" });
  const offer = await one.hear("offer");
  await two.hear("offer");
  one.say({ type: "ack", ...key(offer), step: 1, data: { q1: 9 }, ref: 7 });
  assert.equal((await one.hear("confirm")).ref, 7);
  await two.hear("progress", (message) => message.step === 1);
  one.say({ type: "ack", ...key(offer), step: 2 });
  await one.hear("confirm");
  await two.hear("progress", (message) => message.step === 2);
  one.say({ type: "dismiss", ...key(offer), ref: 8 });
  await one.hear("confirm", (message) => message.yours);
  await two.hear("withdraw", (message) => message.reason === "done_elsewhere");

  await node.api.publish(user, { id: "moves", payload: null, steps: 2, window: "1h" });
  await two.hear("offer");
  two.say({ type: "visible", visible: false });
  await two.hear("withdraw", (message) => message.reason === "moved");
  const moved = await one.hear("offer");
  await node.api.withdraw(user, "moves");
  await one.hear("withdraw", (message) => message.reason === "withdrawn");
  one.say({ type: "ack", ...key(moved), step: 2 });
  assert.equal((await one.hear("confirm")).state, "withdrawn");

  await node.api.publish(user, { id: "short", payload: [], ttl: "1s", window: "1h", settle_on: "completed" });
  await one.hear("offer");
  await one.hear("withdraw", (message) => message.reason === "expired");

  await node.api.publish(user, { id: "flash", payload: { text: "now" }, mode: "fire_and_forget", targets: "all" });
  await one.hear("notice");
  one.say({ type: "seen", id: "flash" }, { type: "token", token: token(user) }, { type: "ping", ref: 9 }, { type: "ping" });
  assert.equal((await one.hear("pong")).ref, 9);
  await one.hear("pong");
  await one.hear("window");
  one.close();
  two.close();
}

/** One device that loses an ack and says it in its next hello; and what can't be taken. */
async function conversationOfOneThatComesBack(spoken) {
  const user = "back";
  await node.api.publish(user, { id: "survey", payload: {}, steps: 3, window: "1h" });
  await node.api.publish(user, { id: "tour", payload: {}, steps: 2, window: "1h" });
  const before = await arrived(user, "d1", spoken);
  const [survey, tour] = [await before.hear("offer"), await before.hear("offer")];
  before.shout('{"type":"dance"}');
  await before.hear("error", (error) => error.code === "bad_message");
  before.say({ type: "ack", ...key(survey), window: "nowhere", step: 1, ref: 1 });
  await before.hear("error", (error) => error.code === "unknown_delivery" && error.ref === 1);
  before.say({ type: "ack", ...key(survey), step: 77, ref: 2 });
  await before.hear("error", (error) => error.code === "step_out_of_range" && error.ref === 2);
  before.say({ type: "ack", ...key(survey), step: 1, data: "x".repeat(5_000), ref: 3 });
  await before.hear("error", (error) => error.code === "too_large" && error.ref === 3);
  before.close();

  const acks = [{ ...key(survey), step: 2, data: { late: true }, ref: 4 }, { ...key(survey), window: "w0", step: 1 }];
  const again = await arrived(user, "d1", spoken, { acks, open: [key(tour)], client: "documents/1", max_in_flight: 3, visible: true });
  assert.deepEqual(again.welcome.acks.map((answer) => answer.type), ["confirm", "error"]);
  const later = await arrived(user, "d1", spoken);
  await again.hear("bye", (bye) => bye.code === "replaced");
  later.close();
}

/** The same protocol over a stream, and posts. */
async function conversationByStream(spoken) {
  const user = "stream";
  await node.api.publish(user, { id: "survey", payload: {}, steps: 2, window: "1h" });
  const talk = await StreamTalk.open(node, spoken, hello(user, "d1"));
  await talk.hear("welcome");
  const offer = await talk.hear("offer");
  await talk.hear("caught_up");
  const messages = [
    { type: "ack", ...key(offer), step: 1, data: [1], ref: 1 },
    { type: "visible", visible: true },
    { type: "seen", id: "flash" },
    { type: "token", token: token(user) },
    { type: "ping", ref: 2 },
    { type: "ack", ...key(offer), window: "w0", step: 1, ref: 3 },
    { type: "dismiss", ...key(offer), ref: 4 },
  ];
  const answers = await post(node, spoken, { token: token(user), device: "d1", messages });
  assert.deepEqual(answers.map((answer) => [answer.type, answer.ref]), [["confirm", 1], ["pong", 2], ["error", 3], ["confirm", 4]]);
  talk.close();
}

function hello(user, device, more = {}) {
  return { type: "hello", token: token(user), device, ...more };
}

/** A connection that was welcomed and has caught up. */
async function arrived(user, device, spoken, more) {
  const talk = await SocketTalk.connect(node, spoken);
  talk.say(hello(user, device, more));
  talk.welcome = await talk.hear("welcome");
  await talk.hear("caught_up");
  return talk;
}

async function saying(message) {
  const talk = await SocketTalk.connect(node, protocol);
  talk.say(message);
  return talk;
}

async function shouting(text) {
  const talk = await SocketTalk.connect(node, protocol);
  talk.shout(text);
  return talk;
}

function key({ id, window }) {
  return { id, window };
}
