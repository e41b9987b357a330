/**
 * All that must hold before a change lands: types, build, the committed bundle and docs, tests. `npm ci && npm run check`.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const cwd = fileURLToPath(new URL("..", import.meta.url));
const tsc = "node_modules/typescript/bin/tsc";

function run(what, ...args) {
  const started = Date.now();
  const { status } = spawnSync(process.execPath, args, { cwd, stdio: "inherit" });
  if (status !== 0) {
    console.error(`clients/js: ${what} failed`);
    process.exit(1);
  }
  console.log(`clients/js: ${what}, ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

// The build of dist/ only: the bundle outside stays as it was committed, and a test compares the two.
run("build", "scripts/build.mjs", "--dist");
run("types of the sources", tsc, "-p", ".");
run("types of the tests", tsc, "-p", "tests");
run("tests", "scripts/test.mjs");
