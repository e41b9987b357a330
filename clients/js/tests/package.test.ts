/**
 * The package as it is shipped: its size, what it touches at import, its types, and whether README, docs and the committed bundle say what is so.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";

const root = process.cwd();
const read = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

/** Typechecks files that import the package by its name, as an app does. */
function typecheck(folder: string, files: Record<string, string>, options: object): string {
  const where = `${root}/build/${folder}`;
  rmSync(where, { recursive: true, force: true });
  mkdirSync(where, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${where}/${name}`, text);
  const compilerOptions = { target: "ES2022", strict: true, noEmit: true, skipLibCheck: true, jsx: "react-jsx", ...options };
  writeFileSync(`${where}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ["."] }));
  const { stdout } = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-p", where], { encoding: "utf8" });
  return stdout;
}

test("the main entry has less than 8 KB, gzipped", () => {
  const bytes = gzipSync(read("dist/index.js"), { level: 9 }).length;
  assert.ok(bytes < 8 * 1024, `${bytes} bytes`);
});

test("it needs no package", () => {
  const { dependencies, peerDependencies } = JSON.parse(read("package.json")) as { dependencies?: object; peerDependencies: object };
  assert.equal(dependencies, undefined);
  assert.deepEqual(Object.keys(peerDependencies), ["react"]);
  for (const file of ["index.js", "index.cjs", "testing.js", "testing.cjs"]) assert.doesNotMatch(read(`dist/${file}`), /(^|[;\n])import\b|\bfrom ?"[^"]+";|\brequire\(/, file);
});

test("importing it touches nothing: it needs the language, and no platform", () => {
  const names = "Object.getOwnPropertyNames(globalThis).join()";
  const module = { exports: {} as Record<string, unknown> };
  // What it looked at here that is no part of the language, would throw.
  const after = runInNewContext(`(function (exports) { ${read("dist/index.cjs")} })(module.exports); ${names}`, { module }) as string;
  assert.equal(typeof module.exports.connect, "function");
  assert.equal(after, runInNewContext(names, { module }));
});

test("it works where the language's own objects are frozen", () => {
  const script = `
    import { connect } from "@engage/client";
    import { FakeServer } from "@engage/client/testing";
    const server = new FakeServer();
    const engage = connect({ url: server.url, token: server.token("ann"), environment: server.environment });
    console.log((await engage.ready()).user);
    await engage.close();`;
  assert.equal(execFileSync(process.execPath, ["--frozen-intrinsics", "--no-warnings", "--input-type=module", "-e", script], { encoding: "utf8" }), "ann\n");
});

test("both kinds of modules give the same names", async () => {
  const require = createRequire(`${root}/build/any.js`);
  for (const entry of ["@engage/client", "@engage/client/react", "@engage/client/testing"]) {
    const names = Object.keys((await import(entry)) as object).sort();
    assert.deepEqual(Object.keys(require(entry) as object).sort(), names, entry);
    assert.ok(names.length > 0);
  }
});

test("its types are right for both kinds of modules, with and without a DOM, and what a browser has fits into them", () => {
  const app = `
    import { connect, type Delivery, type Engage } from "@engage/client";
    import { FakeServer } from "@engage/client/testing";
    import { useDelivery } from "@engage/client/react";
    const server = new FakeServer();
    export const engage: Engage = connect({ url: server.url, token: "t", environment: server.environment });
    engage.on("offer", (delivery: Delivery) => delivery.step(1, { any: "thing" }).then(({ yours }) => yours satisfies boolean));
    // @ts-expect-error there is no such event
    engage.on("nonsense", () => {});
    // @ts-expect-error an address is needed
    connect({ token: "t" });
    export const hook: () => Delivery | undefined = useDelivery;`;
  const environment = `
    import { connect } from "@engage/client";
    connect({
      url: ["https://a.example", "wss://b.example"],
      getToken: async (why) => (why === "start" ? "t" : null),
      storage: localStorage,
      environment: { WebSocket, fetch, localStorage, sessionStorage, locks: navigator.locks, BroadcastChannel, window, document, indexedDB },
    });`;
  const dom = { lib: ["ES2022", "DOM"], types: ["react"], skipLibCheck: false };
  const bare = { lib: ["ES2022"], types: ["node", "react"] };
  const kind = { module: "node16", moduleResolution: "node16" };
  assert.equal(typecheck("types-dom", { "app.mts": app, "app.cts": app, "environment.mts": environment }, { ...kind, ...dom }), "");
  assert.equal(typecheck("types-node", { "app.mts": app, "app.cts": app }, { ...kind, ...bare }), "");
});

/** The examples of the README, in order. */
const examples = [...read("README.md").matchAll(/```(tsx?)\n([\s\S]*?)```/g)].map(([, kind, text]) => ({ kind: String(kind), text: String(text) }));

test("every example of the README has right types", () => {
  assert.ok(examples.length >= 8);
  const others = `
    declare module "react-native" { export const AppState: { currentState: "active" | "background"; addEventListener(name: "change", listener: (state: "active" | "background") => void): { remove(): void } } }
    declare module "@react-native-async-storage/async-storage" { const AsyncStorage: { getItem(key: string): Promise<string | null>; setItem(key: string, value: string): Promise<void> }; export default AsyncStorage }`;
  const files = Object.fromEntries(examples.map(({ kind, text }, n) => [`example${n}.${kind}`, text]));
  assert.equal(typecheck("readme", { ...files, "others.d.ts": others }, { module: "esnext", moduleResolution: "bundler", lib: ["ES2022", "DOM"], types: ["node", "react"] }), "");
});

test("the README's example of a test runs", () => {
  const example = examples.find(({ text }) => text.includes("FakeServer"))?.text ?? "";
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", example], { encoding: "utf8", timeout: 20_000 });
  assert.deepEqual([run.status, run.stderr], [0, ""]);
});

test("a listener that throws harms nobody else, and is reported", () => {
  const script = `
    import { connect } from "@engage/client";
    import { FakeServer } from "@engage/client/testing";
    process.on("unhandledRejection", (thrown) => console.log("uncaught", thrown.message));
    const server = new FakeServer();
    const engage = connect({ url: server.url, token: server.token("ann"), environment: server.environment });
    engage.on("offer", () => { throw new Error("a mistake of the app"); });
    engage.on("offer", ({ id }) => console.log("offered", id));
    server.publish("ann", { id: "nps" });
    await engage.ready();
    await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(engage.state.name);
    await engage.close();`;
  const told = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.deepEqual(told.trim().split("\n"), ["offered nps", "uncaught a mistake of the app", "open"]);
});

test("the bundle that the binary carries is this one", () => {
  const [header, ...rest] = read("../../src/demo/page/engage.js").split("\n");
  assert.equal(header, "// made by npm run build in clients/js; do not edit");
  assert.ok(rest.join("\n") === read("dist/index.js"), "src/demo/page/engage.js is another; hint: npm run build, and commit it");
});

test("docs/api.md is what the types say", () => {
  execFileSync(process.execPath, ["scripts/docs.mjs", "--check"], { stdio: "pipe" });
});

test("no source file is long", () => {
  const names = execFileSync("git", ["ls-files", "src", "scripts"], { encoding: "utf8" }).trim().split("\n");
  const long = names.filter((name) => read(name).split("\n").length > (name.endsWith("types.ts") ? 420 : 300));
  assert.deepEqual(long, []);
  assert.ok(names.length > 20);
});
