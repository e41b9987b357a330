/**
 * What the client finds around it: taken from `globalThis` when a client is made, never at import. Whatever is not there stays undefined, and is done without.
 */
import type { Environment } from "./types.ts";

/** What may be missing, may be missing. */
export type Found = Partial<Environment> & Pick<Environment, "setTimeout" | "clearTimeout" | "now" | "random">;

type Globals = Partial<Environment> & {
  readonly navigator?: { readonly locks?: Environment["locks"]; sendBeacon?(url: string, body: string): boolean };
  addEventListener?: unknown;
};

export function findEnvironment(given: Partial<Environment> = {}): Found {
  const globals = globalThis as unknown as Globals;
  const navigator = globals.navigator;
  // A page may be forbidden to touch its storage: then even the look throws. Node's own storage is none of a page.
  const attempt = <T>(look: () => T): T | undefined => {
    try {
      return globals.document && look();
    } catch {
      return undefined;
    }
  };
  return {
    WebSocket: globals.WebSocket,
    fetch: globals.fetch?.bind(globals),
    sendBeacon: navigator?.sendBeacon && ((url, body) => navigator.sendBeacon?.(url, body) ?? false),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    now: () => Date.now(),
    random: () => Math.random(),
    indexedDB: attempt(() => globals.indexedDB),
    localStorage: attempt(() => globals.localStorage),
    sessionStorage: attempt(() => globals.sessionStorage),
    locks: attempt(() => navigator?.locks),
    BroadcastChannel: globals.BroadcastChannel,
    window: globals.addEventListener ? (globals as unknown as Environment["window"]) : undefined,
    document: globals.document,
    ...given,
  };
}
