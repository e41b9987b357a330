/**
 * The one kind of error that the client gives.
 */
import type { EngageError } from "./types.ts";

export function failure(code: string, message: string, retry = false): EngageError {
  return Object.assign(new Error(message), { name: "EngageError" as const, code, retry });
}

/** What somebody else threw, in words. */
export const wordsOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
