/**
 * Writes docs/api.md from the types and the comments in them. `--check` writes nothing, and fails where the committed one is another.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const TARGET = `${root}docs/api.md`;
const ENTRIES = [
  { title: "@engage/client", files: ["types.ts"] },
  { title: "@engage/client/react", files: ["react.ts"] },
  { title: "@engage/client/testing", files: ["fake/server.ts", "fake/node.ts", "fake/ledger.ts"] },
];
/** Of the testing entry these are shown; the rest of its files is nobody's business. */
const TESTING = ["FakeServer", "FakeOptions", "Engagement", "Stored", "Connection"];
/** Shapes of things of the platform: named where they are used, of interest to nobody else. */
const PLATFORM = /^(Handler|SocketLike|LocksLike|ChannelLike|RequestLike|IndexedDbLike|Target|Connect)$/;

const commentOf = (node) =>
  ts
    .getJSDocCommentsAndTags(node)
    .filter(ts.isJSDoc)
    .map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? "")
    .join(" ")
    .replace(/\{@link ([\w.]+)\s*\}/g, "`$1`")
    .replace(/\s+/g, " ")
    .trim();

const codeOf = (node, source) => node.getText(source).replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/\breadonly /g, "").replace(/\s+/g, " ").replace(/;$/, "").trim();

const isShown = (member) => !member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) && !ts.isConstructorDeclaration(member);

/** The signature of a method of a class, without its body. */
function signatureOf(member, source) {
  if (!member.body) return codeOf(member, source).replace(/ = .*$/, "");
  const text = source.text.slice(member.getStart(source), member.body.getStart(source));
  return text.replace(/\breadonly |\bget /g, "").replace(/\s+/g, " ").trim();
}

function membersOf(node, source) {
  const rows = node.members.filter(isShown).map((member) => `| \`${signatureOf(member, source).replaceAll("|", "\\|")}\` | ${commentOf(member)} |`);
  return rows.length ? ["| | |", "|---|---|", ...rows, ""] : [];
}

function sectionOf(node, source) {
  const name = node.name?.text ?? "";
  const lines = [`### ${name}`, "", commentOf(node), ""];
  if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
    const base = node.heritageClauses?.flatMap(({ types }) => types.map((type) => type.getText(source))).filter((type) => type !== "Error");
    return [...lines, ...(base?.length ? [`All of \`${base.join("`, `")}\`, and:`, ""] : []), ...membersOf(node, source)];
  }
  if (ts.isTypeAliasDeclaration(node)) return [...lines, "```ts", codeOf(node.type, source).replace(/^\| /, ""), "```", ""];
  const text = source.text.slice(node.getStart(source), node.body.getStart(source)).replace(/^export /, "");
  return [...lines, "```ts", text.trim(), "```", ""];
}

function entryOf({ title, files }) {
  const lines = [`## ${title}`, ""];
  if (title === "@engage/client") lines.push("### connect", "", "Starts a client. It connects by itself, and again after every loss, until it is closed.", "", "```ts", "connect(options: Options): Engage", "```", "");
  for (const file of files) {
    const text = readFileSync(`${root}src/${file}`, "utf8");
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    for (const node of source.statements) {
      const isExported = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      const name = node.name?.text ?? "";
      const isWanted = title.endsWith("testing") ? TESTING.includes(name) : !PLATFORM.test(name);
      if (isExported && name && isWanted) lines.push(...sectionOf(node, source));
    }
  }
  return lines;
}

const text = ["# API", "", "Made by `npm run docs` from the comments in the types; do not edit.", "", ...ENTRIES.flatMap(entryOf)].join("\n").replace(/\n{3,}/g, "\n\n").trimEnd() + "\n";
if (process.argv.includes("--check")) {
  if (readFileSync(TARGET, "utf8") !== text) throw new Error("docs/api.md is not what the types say; hint: npm run docs");
} else {
  mkdirSync(`${root}docs`, { recursive: true });
  writeFileSync(TARGET, text);
}
