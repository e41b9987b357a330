/**
 * The main entry: `connect`, and the types of all that it gives.
 */
export { connect } from "./engage.ts";

export type * from "./types.ts";

