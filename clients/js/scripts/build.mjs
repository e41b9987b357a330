/**
 * Builds the package into dist/, and the bundle that the binary carries into src/demo/page/engage.js; with `--dist` only the first.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { minify } from "terser";
import { internalNames } from "./mangle.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const BUNDLE = `${root}../../src/demo/page/engage.js`;
const HEADER = "// made by npm run build in clients/js; do not edit\n";
const common = { absWorkingDir: root, bundle: true, target: "es2020", logLevel: "warning", write: false, legalComments: "none" };

async function bundled(entry, options) {
  const result = await build({ ...common, entryPoints: [`src/${entry}`], ...options });
  return result.outputFiles[0].text;
}

/** A smaller text that does the same. */
async function small(format) {
  const mangleProps = new RegExp(`^(${internalNames(`${root}src`).join("|")})$`);
  const text = await bundled("index.ts", { format, mangleProps, minifySyntax: true });
  const compress = { passes: 4, unsafe_arrows: true, unsafe_methods: true, pure_getters: true, reduce_funcs: false };
  const { code } = await minify(text, { module: format === "esm", toplevel: true, ecma: 2020, compress });
  return `${code}\n`;
}

/** The minified main entry, as a module. */
const mainEntry = () => small("esm");

const gzipBytes = (text) => gzipSync(text, { level: 9 }).length;

async function buildAll() {
  rmSync(`${root}dist`, { recursive: true, force: true });
  mkdirSync(`${root}dist`, { recursive: true });
  const main = await mainEntry();
  writeFileSync(`${root}dist/index.js`, main);
  writeFileSync(`${root}dist/index.cjs`, await small("cjs"));
  for (const name of ["react", "testing"]) {
    const external = ["react"];
    writeFileSync(`${root}dist/${name}.js`, await bundled(`${name}.ts`, { format: "esm", external }));
    writeFileSync(`${root}dist/${name}.cjs`, await bundled(`${name}.ts`, { format: "cjs", external }));
  }
  declare();
  if (!process.argv.includes("--dist")) writeFileSync(BUNDLE, HEADER + main);
  console.log(`dist/ is built; the main entry has ${gzipBytes(main)} bytes gzipped`);
}

/** Type declarations, for modules of both kinds: those of the entries, and what these need. */
function declare() {
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  execFileSync(process.execPath, [tsc, "-p", root, "--noEmit", "false", "--emitDeclarationOnly", "--outDir", `${root}dist/all`], { stdio: "inherit" });
  const wanted = ["index", "react", "testing"];
  for (const name of wanted) {
    const text = readFileSync(`${root}dist/all/${name}.d.ts`, "utf8");
    mkdirSync(dirname(`${root}dist/${name}`), { recursive: true });
    for (const [, path] of text.matchAll(/from "(\.[^"]+)\.(?:ts|js)"/g)) {
      const next = join(dirname(name), path);
      if (!wanted.includes(next)) wanted.push(next);
    }
    const imports = (suffix) => text.replace(/(from "\.[^"]+)\.(ts|js)"/g, `$1${suffix}"`);
    writeFileSync(`${root}dist/${name}.d.ts`, imports(".js"));
    writeFileSync(`${root}dist/${name}.d.cts`, imports(".cjs"));
  }
  rmSync(`${root}dist/all`, { recursive: true });
}

await buildAll();
