/**
 * The main entry: `connect`, and the types of all that it gives.
 */
import { Page } from "./engage.ts";
import type { Connect } from "./types.ts";

export type * from "./types.ts";

/** Starts a client. It connects by itself, and again after every loss, until it is closed. */
export const connect: Connect = (options) => new Page(options);
