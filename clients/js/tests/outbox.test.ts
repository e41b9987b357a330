/**
 * What has no confirm yet: kept until it has one, or is refused for good.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Answer, createOutbox } from "../src/outbox.ts";
import type { ConfirmMessage, ErrorMessage } from "../src/wire.ts";
import { claimsOf } from "../src/token.ts";
import { isSettled, sizeOf } from "../src/wire.ts";

const key = { id: "nps", window: "w" };
const confirm = (step: number, state: ConfirmMessage["state"] = "in_progress", id = "nps"): ConfirmMessage => ({ type: "confirm", id, window: "w", step, steps: 3, state, yours: true, at: 1 });
const refusal = (retry: boolean): ErrorMessage => ({ type: "error", code: "unavailable", message: "", retry });
const refOf = (outbox: ReturnType<typeof createOutbox>, n = 0): number => outbox.unsent(99)[n]?.ref ?? NaN;

test("an ack goes with the confirm of its own number, not of one that it replaced", () => {
  const outbox = createOutbox();
  const heard: Answer[] = [];
  outbox.add({ ...key, step: 1 }, (answer) => heard.push(answer));
  const first = refOf(outbox);
  outbox.add({ ...key, step: 2 }, (answer) => heard.push(answer));
  outbox.answer(confirm(1), first);
  assert.deepEqual([outbox.size(), heard.length], [1, 0]);
  outbox.answer(confirm(2), refOf(outbox));
  assert.deepEqual([outbox.size(), heard.length], [0, 2], "both are told");
});

test("the same step with other data is another ack", () => {
  const outbox = createOutbox();
  outbox.add({ ...key, step: 1, data: "old" });
  const first = refOf(outbox);
  outbox.add({ ...key, step: 1, data: "new" });
  outbox.answer(confirm(1), first);
  assert.deepEqual(outbox.words(), [{ ...key, step: 1, data: "new" }]);
});

test("a lower step changes nothing, and is answered with the higher one", () => {
  const outbox = createOutbox();
  const heard: Answer[] = [];
  outbox.add({ ...key, step: 2, data: 2 });
  outbox.add({ ...key, step: 1, data: 1 }, (answer) => heard.push(answer));
  assert.deepEqual(outbox.words(), [{ ...key, step: 2, data: 2 }]);
  outbox.answer(confirm(2), refOf(outbox));
  assert.equal(heard.length, 1);
});

test("what is settled needs no more acks and no dismissal, whichever was answered", () => {
  const outbox = createOutbox();
  let told = 0;
  outbox.add({ ...key, step: 2 }, () => told++);
  outbox.add(key, () => told++);
  outbox.add({ id: "other", window: "w", step: 0 }, () => told++);
  outbox.answer(confirm(2, "completed"), refOf(outbox));
  assert.deepEqual([outbox.size(), told], [1, 2]);
});

test("an ack and a dismissal of one delivery are two, and the ack comes first", () => {
  const outbox = createOutbox();
  outbox.add({ ...key, step: 1, data: { q1: 9 } });
  outbox.add(key);
  outbox.add(key);
  assert.deepEqual(outbox.words(), [{ ...key, step: 1, data: { q1: 9 } }, { ...key, step: undefined, data: undefined }]);
  outbox.answer(confirm(1), refOf(outbox));
  assert.equal(outbox.dismissal(key)?.id, "nps");
});

test("what is refused for a while waits, what is refused for good goes", () => {
  const outbox = createOutbox();
  let told = 0;
  outbox.add({ ...key, step: 1 }, () => told++);
  const ref = refOf(outbox);
  outbox.answer(refusal(true), ref);
  assert.deepEqual([outbox.size(), outbox.unsent(1).length, told], [1, 0, 0]);
  outbox.again();
  assert.equal(outbox.unsent(1).length, 1);
  outbox.answer(refusal(false), ref);
  assert.deepEqual([outbox.size(), told], [0, 1]);
});

test("an answer to a number that nobody has changes nothing", () => {
  const outbox = createOutbox();
  outbox.add({ ...key, step: 1 });
  outbox.answer(confirm(1), 4711);
  outbox.answer(refusal(false), undefined);
  assert.equal(outbox.size(), 1);
});

test("the settled states are those of the contract", () => {
  const all = ["queued", "offered", "shown", "in_progress", "completed", "dismissed", "expired", "withdrawn", "dropped"] as const;
  assert.deepEqual(all.filter(isSettled), all.slice(4));
});

test("sizes are those of UTF-8", () => {
  for (const text of ["", "abc", "ä€😀", JSON.stringify({ text: "\ud800" }), "\u007f\u0080\u07ff\u0800"]) assert.equal(sizeOf(text), Buffer.byteLength(text), text);
});

test("a token's claims are read, whatever its user is called, and nonsense has none", () => {
  const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.sig`;
  for (const sub of ["ann", "Änne 😀", "a/b+c?d", "x".repeat(128)]) assert.deepEqual(claimsOf(jwt({ sub, exp: 5 })), { sub, exp: 5 });
  for (const nonsense of ["", "a.b.c", "opaque", "e30.!!!.x"]) assert.deepEqual(claimsOf(nonsense), {});
});
