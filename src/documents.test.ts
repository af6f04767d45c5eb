/** What the documents point at is there: links, and paths named in text or code. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const DOCUMENTS = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
/** Names of every source file: a document that speaks of one room names its files without the folder. */
const names = new Set(
  ["src", "e2e"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((path) => basename(String(path))),
  ),
);

describe.each(DOCUMENTS)("%s", (document) => {
  const text = readFileSync(join(root, document), "utf8");

  test("names only files and folders that exist", () => {
    const paths = Array.from(
      text.matchAll(/(?<![\w./-])(?:src|e2e|docs|public|\.ci|\.github)\/[\w./-]*\w/g),
      ([p]) => p,
    );
    const files = Array.from(text.matchAll(/`(\w+(?:\.test)?\.tsx?)`/g), ([, name = ""]) => name);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(files.filter((name) => !names.has(name))).toEqual([]);
  });

  test("links only to files that exist", () => {
    const targets = Array.from(text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g), ([, target = ""]) => target);
    expect(targets.filter((target) => !existsSync(join(root, dirname(document), target)))).toEqual([]);
  });
});
