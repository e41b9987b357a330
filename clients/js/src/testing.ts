/**
 * The entry for the tests of apps: a server in memory.
 */
export { type Connection, type Engagement, type FakeOptions, FakeServer, type Stored } from "./fake/server.ts";
