/**
 * Where texts survive the page: IndexedDB, else localStorage, else memory. A store that fails, or doesn't answer, is given up for the next one, and never stops the client.
 */
import type { Found } from "./environment.ts";
import type { RequestLike, Store } from "./types.ts";

/** Some browsers never answer, in private windows or just after an update. */
const DEADLINE_MS = 1_500;

/** As {@link Store}, but never waits for ever. */
export interface Kept {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string | undefined): Promise<void>;
}

/** Lives as long as the page. */
export function memoryStore(): Store {
  const all = new Map<string, string>();
  return {
    getItem: (key) => all.get(key),
    setItem: (key, value) => all.set(key, value),
    removeItem: (key) => all.delete(key),
  };
}

/** The stores to try, the best first. */
function storesOf(environment: Found, given: Store | "memory" | undefined): Store[] {
  const own = given === undefined ? [environment.indexedDB && databaseStore(environment.indexedDB), environment.localStorage] : [given === "memory" ? undefined : given];
  return [...own.filter((store) => !!store), memoryStore()];
}

export function openStore(environment: Found, given: Store | "memory" | undefined, failed: (thrown: unknown) => void): Kept {
  const stores = storesOf(environment, given);
  const within = <T>(answer: T | Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = environment.setTimeout(() => reject(new Error("the store gave no answer")), DEADLINE_MS);
      const stop = (): void => environment.clearTimeout(timer as never);
      Promise.resolve(answer).then(resolve, reject).then(stop, stop);
    });
  const use = async <T>(act: (store: Store) => T | Promise<T>): Promise<T> => {
    for (;;) {
      const store = stores[0] as Store;
      try {
        return await within(act(store));
      } catch (thrown) {
        if (stores.length === 1) throw thrown;
        // Another use of it may have failed, and given it up, meanwhile.
        if (stores[0] === store) stores.shift();
        failed(thrown);
      }
    }
  };
  return {
    get: async (key) => (await use((store) => store.getItem(key))) ?? undefined,
    set: async (key, value) => {
      await use((store) => (value === undefined ? store.removeItem(key) : store.setItem(key, value)));
    },
  };
}

type Database = {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: string): { objectStore(name: string): Record<"get" | "put" | "delete", (...values: string[]) => RequestLike> };
};

const done = <T>(request: RequestLike): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });

function databaseStore(factory: NonNullable<Found["indexedDB"]>): Store {
  let opened: Promise<Database> | undefined;
  const open = (): Promise<Database> => {
    const request = factory.open("engage", 1) as RequestLike & { onupgradeneeded: unknown };
    request.onupgradeneeded = () => (request.result as Database).createObjectStore("texts");
    return done(request);
  };
  const texts = async (mode: string) => (await (opened ??= open())).transaction("texts", mode).objectStore("texts");
  return {
    getItem: async (key) => done<string | undefined>((await texts("readonly")).get(key)),
    setItem: async (key, value) => done((await texts("readwrite")).put(value, key)),
    removeItem: async (key) => done((await texts("readwrite")).delete(key)),
  };
}
