/**
 * Where texts survive: the best store that works, and the next one when it fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Found } from "../src/environment.ts";
import { openStore } from "../src/storage.ts";
import type { IndexedDbLike, RequestLike, Store } from "../src/types.ts";
import { store } from "./lib/browser.ts";
import { Clock } from "./lib/clock.ts";

type How = "well" | "refuses" | "hangs" | "throws" | "full";

/** IndexedDB with one database, that works or fails as it is told. */
function database(how: How): IndexedDbLike & { readonly all: Map<string, string>; opened: number } {
  const all = new Map<string, string>();
  let isMade = false;
  const answer = (result: () => unknown, fails = false): RequestLike => {
    const request = { result: undefined as unknown, error: new Error("full"), onsuccess: null, onerror: null } as { -readonly [Name in keyof RequestLike]: RequestLike[Name] };
    setImmediate(() => {
      if (!fails) request.result = result();
      (fails ? request.onerror : request.onsuccess)?.({});
    });
    return request;
  };
  const texts = { get: (key: string) => answer(() => all.get(key)), put: (value: string, key: string) => answer(() => all.set(key, value), how === "full") };
  const opened = {
    createObjectStore: (name: string) => {
      assert.equal(name, "texts");
      isMade = true;
    },
    transaction: (name: string, mode: string) => {
      assert.deepEqual([isMade, name, mode], [true, "texts", "readwrite"]);
      return { objectStore: () => texts };
    },
  };
  const self = {
    all,
    opened: 0,
    open: (): RequestLike => {
      self.opened++;
      if (how === "throws") throw new Error("a private window");
      const request = { result: opened, error: new Error("refused"), onsuccess: null, onerror: null, onupgradeneeded: null as (() => void) | null } as RequestLike & { onupgradeneeded: (() => void) | null };
      setImmediate(() => {
        if (how === "hangs") return;
        if (how !== "refuses") request.onupgradeneeded?.();
        (how === "refuses" ? request.onerror : request.onsuccess)?.({});
      });
      return request;
    },
  };
  return self;
}

const found = (clock: Clock, more: Partial<Found>): Found => ({ ...clock.environment, random: Math.random, ...more });

async function writes(clock: Clock, environment: Found, given?: Store | "memory"): Promise<{ failures: number; read: unknown }> {
  let failures = 0;
  const kept = openStore(environment, given, () => failures++);
  const done = kept.setItem("key", "value").then(() => kept.getItem("key"));
  await clock.pass(5_000);
  return { read: await done, failures };
}

test("IndexedDB comes first, and is opened once", async () => {
  const [clock, indexedDB, localStorage] = [new Clock(), database("well"), store()];
  assert.deepEqual(await writes(clock, found(clock, { indexedDB, localStorage })), { read: "value", failures: 0 });
  assert.deepEqual([indexedDB.all.get("key"), indexedDB.opened, localStorage.all.size, clock.pending], ["value", 1, 0, 0]);
});

for (const how of ["refuses", "hangs", "throws", "full"] as const) {
  test(`where IndexedDB ${how === "full" ? "is full" : how}, localStorage is used, and that is said once`, async () => {
    const [clock, localStorage] = [new Clock(), store()];
    assert.deepEqual(await writes(clock, found(clock, { indexedDB: database(how), localStorage })), { read: "value", failures: 1 });
    assert.equal(localStorage.all.get("key"), "value");
  });
}

test("where there is nothing, there is memory", async () => {
  const clock = new Clock();
  assert.deepEqual(await writes(clock, found(clock, {})), { read: "value", failures: 0 });
});

test("what the app gives is used, and nothing else but memory", async () => {
  const [clock, localStorage, own] = [new Clock(), store(), store()];
  await writes(clock, found(clock, { localStorage }), own);
  await writes(clock, found(clock, { localStorage }), "memory");
  assert.deepEqual([own.all.get("key"), localStorage.all.size], ["value", 0]);
});
