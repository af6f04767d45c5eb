/**
 * Commands of README and docs, run on a clean clone: a copy of the sources without dist/ or anything that a run writes.
 * Only commands that take seconds are run; guide.test.ts reads the rest.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type DocumentedCommand, documentedCommands } from "./testing/documentedCommands";

/** What a clone lacks. */
const MADE_HERE = ["node_modules", "dist", ".git", "runs", "models", "data", "screenshots"];
/** Calls of the runner that end within seconds. */
const CHEAP = /^npm run (--silent )?srpo -- (config\b|inspect models\/|synth --shape tiny|verify --model src\/|score )/;

const clone = mkdtempSync(join(tmpdir(), "srpo-clone-"));
for (const name of readdirSync(".").filter((each) => !MADE_HERE.includes(each)))
  cpSync(name, join(clone, name), { recursive: true });
symlinkSync(resolve("node_modules"), join(clone, "node_modules"));
afterAll(() => rmSync(clone, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in the clone. @param until ends it by Ctrl-C once its stdout matches */
function run(
  words: readonly string[],
  until?: { readonly said: RegExp; visit(out: string): Promise<void> },
): Promise<Ended> {
  const [program = "", ...args] = words;
  return new Promise((settle, reject) => {
    // In a process group of its own: Ctrl-C reaches npm and what it started, as in a terminal.
    const child = spawn(program, args, { cwd: clone, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.stdout.on("data", (chunk: Buffer) => {
      const before = out;
      out += chunk.toString();
      if (until === undefined || until.said.test(before) || !until.said.test(out)) return;
      until
        .visit(out)
        .catch(reject)
        .finally(() => process.kill(-(child.pid ?? 0), "SIGINT"));
    });
    child.once("error", reject);
    child.once("close", (code) => settle({ code, out, err }));
  });
}

const cheap = (page: string): DocumentedCommand[] =>
  documentedCommands(page).filter(({ line, inline }) => !inline && CHEAP.test(line));
const commands = [...cheap("README.md"), ...cheap("docs/runner.md")];
// The guide creates the checkpoint that replaces a download only after first using it.
const ordered = [...commands].sort((a, b) => Number(b.line.includes("synth")) - Number(a.line.includes("synth")));

test("what is run here is of every cheap kind", () => {
  const kinds = commands.map(({ words }) => words[words.indexOf("--") + 1]);
  expect([...new Set(kinds)].sort()).toEqual(["config", "inspect", "score", "synth", "verify"]);
});

test.each(ordered.map(({ line }) => line))("%s", { timeout: 120_000 }, async (line) => {
  const command = ordered.find((each) => each.line === line);
  const { code, out, err } = await run(command?.words ?? []);
  expect(err).not.toMatch(/^srpo: /m);
  expect(code).toBe(0);
  if (command?.redirect) await writeFile(join(clone, command.redirect), out);
});

test("srpo serve builds the page that it serves", { timeout: 240_000 }, async () => {
  const words = "npm run --silent srpo -- serve --policy public/policies/sft --run runs/mine --backend wasm".split(" ");
  let page = "";
  const { err } = await run(words, {
    said: /\n/,
    visit: async (link) => {
      page = await (await fetch(new URL("/", link.trim()))).text();
    },
  });
  expect(err).toContain("building the page: dist/ is missing");
  expect(page).toBe(await readFile(join(clone, "dist", "index.html"), "utf8"));
});
