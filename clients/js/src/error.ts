/**
 * The one kind of error that the client gives.
 */
import type { EngageError } from "./types.ts";

export function failure(code: string, message = "", retry = false): EngageError {
  return Object.assign(new Error(message || code), { name: "EngageError" as const, code, retry });
}
