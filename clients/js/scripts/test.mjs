/**
 * Runs the tests on Node's own runner: tests/*.test.ts, each bundled into build/. `@engage/client` is what an app would get, minified and all; other imports are our
 * sources. Arguments: parts of the names of the files to run.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(`${root}tests`).filter((file) => /\.test\.tsx?$/.test(file) && (!wanted.length || wanted.some((part) => file.includes(part))));
if (!files.length) throw new Error("there is no such test");

rmSync(`${root}build`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: files.map((file) => `tests/${file}`),
  outdir: "build",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  jsx: "automatic",
  packages: "external",
  sourcemap: "inline",
  logLevel: "warning",
});
const run = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files.map((file) => `build/${file.replace(/\.tsx?$/, ".mjs")}`)], { cwd: root, stdio: "inherit", timeout: 120_000 });
process.exit(run.status ?? 1);
