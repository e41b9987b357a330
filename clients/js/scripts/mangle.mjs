/**
 * Which property names may be made shorter: those that only our own modules use. Never those of the interface, of the wire, of what goes from tab to tab (which may run
 * another version), nor any that a platform knows.
 */
import { readdirSync, readFileSync } from "node:fs";
import ts from "typescript";

/** Files whose names others rely on. */
const SHARED = ["types.ts", "wire.ts", "hub.ts", "react.ts", "testing.ts"];

function namesIn(file) {
  const names = new Set();
  const visit = (node) => {
    const isMember =
      ts.isPropertySignature(node) || ts.isMethodSignature(node) || ts.isPropertyDeclaration(node) || ts.isMethodDeclaration(node) || ts.isGetAccessor(node) || ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node);
    if (isMember && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, false));
  return names;
}

/** Declared in an interface of ours, and nowhere else. */
export function internalNames(source) {
  const files = readdirSync(source).filter((file) => file.endsWith(".ts"));
  const ours = files.filter((file) => !SHARED.includes(file)).flatMap((file) => [...declaredIn(`${source}/${file}`)]);
  const library = new URL(".", import.meta.resolve("typescript"));
  const libraries = readdirSync(library).filter((file) => /^lib\.(dom|es).*\.d\.ts$/.test(file));
  const taken = new Set([...SHARED.map((file) => `${source}/${file}`), ...libraries.map((file) => new URL(file, library).pathname)].flatMap((file) => [...namesIn(file)]));
  return [...new Set(ours)].filter((name) => !taken.has(name));
}

function declaredIn(file) {
  const names = new Set();
  const visit = (node) => {
    if ((ts.isPropertySignature(node) || ts.isMethodSignature(node)) && ts.isInterfaceDeclaration(node.parent) && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022, true));
  return names;
}
