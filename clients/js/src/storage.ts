/**
 * Where texts survive the page: IndexedDB, else localStorage, else memory. A store that fails, or doesn't answer, is given up for the next one, and never stops the client.
 */
import type { Found } from "./environment.ts";
import type { RequestLike, Store } from "./types.ts";

/** Some browsers never answer, in private windows or just after an update. */
const DEADLINE_MS = 1_500;

/** As {@link Store}, but never waits for ever, and never fails: at last there is memory. */
export interface Kept {
  getItem(key: string): Promise<string | null | undefined>;
  setItem(key: string, value: string): Promise<unknown>;
}

/** Lives as long as the page. */
export function memoryStore(): Store {
  const all = new Map<string, string>();
  return {
    getItem: (key) => all.get(key),
    setItem: (key, value) => all.set(key, value),
  };
}

export function openStore({ indexedDB, localStorage, setTimeout, clearTimeout }: Found, given: Store | "memory" | undefined, failed: (thrown: unknown) => void): Kept {
  const wished = given ? [given] : [indexedDB && databaseStore(indexedDB), localStorage];
  const stores = [...wished, memoryStore()].filter((store): store is Store => !!store && store !== "memory");

  const use = async <T>(act: (store: Store) => T | Promise<T>): Promise<T> => {
    const [store] = stores as [Store];
    let timer: unknown;
    try {
      return await Promise.race([act(store), new Promise<never>((_, reject) => (timer = setTimeout(() => reject("silence"), DEADLINE_MS)))]);
    } catch (thrown) {
      // Another use of it may have given it up already.
      if (stores[0] === store) stores.shift();
      failed(thrown);
      return use(act);
    } finally {
      clearTimeout(timer as never);
    }
  };
  return {
    getItem: (key) => use((store) => store.getItem(key)),
    setItem: (key, value) => use((store) => store.setItem(key, value)),
  };
}

type Texts = Record<"get" | "put", (...values: string[]) => RequestLike>;
type Database = { createObjectStore(name: string): unknown; transaction(name: string, mode: string): { objectStore(name: string): Texts } };

const done = <T>(request: RequestLike): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result as T);
    request.onerror = () => reject(request.error);
  });

function databaseStore(factory: NonNullable<Found["indexedDB"]>): Store {
  let opened: Promise<Database> | undefined;
  const act = async (run: (texts: Texts) => RequestLike): Promise<string | undefined> => {
    if (!opened) {
      const request = factory.open("engage", 1) as RequestLike & { onupgradeneeded: unknown };
      request.onupgradeneeded = () => (request.result as Database).createObjectStore("texts");
      opened = done(request);
    }
    return done(run((await opened).transaction("texts", "readwrite").objectStore("texts")));
  };
  return {
    getItem: (key) => act((texts) => texts.get(key)),
    setItem: (key, value) => act((texts) => texts.put(value, key)),
  };
}
