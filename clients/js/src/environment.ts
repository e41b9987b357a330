/**
 * What the client finds around it: taken from `globalThis` when a client is made, never at import. Whatever is not there stays undefined, and is done without.
 *
 * Functions of a platform want to be called as such, not as methods of this object: take them out of it first.
 */
import type { Environment } from "./types.ts";

/** What may be missing, may be missing. */
export type Found = Partial<Environment> & Pick<Environment, "setTimeout" | "clearTimeout" | "now" | "random">;

type Globals = Found & { readonly navigator: { readonly locks?: Environment["locks"]; sendBeacon(url: string, body: string): boolean }; readonly addEventListener?: unknown };

export function findEnvironment(given?: Partial<Environment>): Found {
  const globals = globalThis as unknown as Globals;
  const { WebSocket, fetch, setTimeout, clearTimeout, document, navigator, BroadcastChannel } = globals;
  const found: { -readonly [Name in keyof Found]: Found[Name] } = { WebSocket, fetch, setTimeout, clearTimeout, now: Date.now, random: Math.random };
  // Elsewhere there may be things of these names, but they are not a page's.
  if (document) {
    Object.assign(found, { document, BroadcastChannel, locks: navigator.locks, window: globals });
    found.sendBeacon = (url, body) => navigator.sendBeacon(url, body);
    // A page may be forbidden to touch its storage: then even the look throws.
    for (const name of ["indexedDB", "localStorage", "sessionStorage"] as const) {
      try {
        found[name] = globals[name] as never;
      } catch {}
    }
  }
  return { ...found, ...given };
}
