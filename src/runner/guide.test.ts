/**
 * README and docs stay true to the code: every command they show exists and parses, every path they name is in the
 * repository or made by a command above it, and every run file is read. cleanClone.slow.test.ts runs the cheap ones.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { benchArguments } from "../bench/arguments";
import { parseArguments } from "./arguments/usage";
import { COMMANDS } from "./commandTable";
import { loadOptions } from "./run/resolveSource";
import { readRunFile } from "./run/runConfig";
import { planOf } from "./run/runPlan";
import { type DocumentedCommand, documentedCommands } from "./testing/documentedCommands";

const RUN_FILES = "docs/runs";
const PAGES = ["README.md", "CONTRIBUTING.md", ...readdirSync("docs").map((name) => join("docs", name))].filter(
  (page) => page.endsWith(".md") && existsSync(page),
);
/** Programs that are not ours; their output counts, their arguments do not. */
const FOREIGN = ["export", "git", "hf", "pip", "peers/bin/pip", "python3", "tail", "tensorboard"];
/** Folders that a clone does not have, though a working tree may. */
const NOT_IN_A_CLONE = /^(runs|models|data|dist|node_modules)\//;
/** The reader's own files, which docs/runner.md describes under "The data". */
const READERS_OWN = ["data/train.jsonl", "data/heldout.jsonl"];
const OUTPUT_FLAGS = ["--out", "--run", "--json", "--local-dir"];

const scripts = Object.keys(packageJson().scripts);

function packageJson(): { readonly scripts: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync("package.json", "utf8"));
}

/** Placeholders for something of the reader's: DIR, FILE, NAME, F. */
const isPlaceholder = (word: string): boolean => /^(\[?[A-Z]+\]?|…)$/.test(word);
const isPath = (word: string): boolean =>
  !word.startsWith("-") && !word.includes("://") && (/^[\w.-]+\//.test(word) || /\.(jsonl?|ts|md)$/.test(word));

/** Arguments of `npm run NAME -- …`; null for other commands. */
function argumentsOf({ words }: DocumentedCommand, script: string): readonly string[] | null {
  const [npm, run, ...rest] = words.filter((word) => word !== "--silent");
  if (npm !== "npm" || run !== "run" || rest[0] !== script) return null;
  return rest.slice(rest.indexOf("--") < 0 ? rest.length : rest.indexOf("--") + 1);
}

/** Checks on the command beyond its existence. */
// The commands' modules, once for all tests: the first to need them would wait for all of them.
beforeAll(async () => {
  await Promise.all(Object.values(COMMANDS).map((load) => load()));
}, 120_000);

async function checkArguments(command: DocumentedCommand): Promise<void> {
  const bench = argumentsOf(command, "bench");
  if (bench !== null) benchArguments(bench.filter((word) => !isPlaceholder(word)));
  const [name = "", ...rest] = argumentsOf(command, "srpo") ?? [];
  if (name === "" || isPlaceholder(name)) return;
  const load = COMMANDS[name];
  if (load === undefined) throw new Error(`there is no command ${name}`);
  if (!command.inline || rest.length > 0) parseArguments(rest, (await load()).flags);
}

function checkProgram({ words: [program = "", first = "", ...rest] }: DocumentedCommand): void {
  if (program === "npx") {
    expect(first, "npx runs tsx").toBe("tsx");
    expect(existsSync(rest[0] ?? ""), `${rest[0]} exists`).toBe(true);
  } else if (program === "npm" && first === "run") {
    const script = rest.find((word) => !word.startsWith("-"));
    expect(scripts, "scripts of package.json").toContain(script);
  } else if (program === "npm") {
    expect(["install", ...scripts], "commands of npm").toContain(first);
  } else {
    expect(FOREIGN, "programs").toContain(program);
  }
}

/** The files that exist after the commands so far. */
class Disk {
  private readonly made: string[] = [...READERS_OWN];

  /** @throws AssertionError when the command reads what nothing has made */
  async after({ words, redirect }: DocumentedCommand): Promise<void> {
    const values = words.map((word) => word.replace(/^--[\w-]+=/, ""));
    const isOutput = (i: number): boolean => OUTPUT_FLAGS.includes(words[i - 1] ?? "") || words[i - 1] === "venv";
    if (!FOREIGN.includes(words[0] ?? ""))
      for (const [i, path] of values.entries()) if (isPath(path) && !isOutput(i)) this.mustHave(path);
    const config = words[words.indexOf("--config") + 1];
    if (words.includes("--config") && config?.startsWith(RUN_FILES)) await this.afterRun(config);
    this.made.push(...values.filter((_path, i) => isOutput(i)), ...(redirect === null ? [] : [redirect]));
  }

  /** A run file names paths too, including the run's own folder. */
  private async afterRun(file: string): Promise<void> {
    const { config } = await readRunFile(file);
    const { train, heldOut, images, reflections } = config.data;
    for (const path of [config.policy, train, heldOut, images, reflections, config.lora.adapter])
      if (path !== null) this.mustHave(path);
    if (config.out !== null) this.made.push(config.out);
  }

  private mustHave(path: string): void {
    const here = existsSync(path) && !NOT_IN_A_CLONE.test(path);
    const made = this.made.some((each) => path === each || path.startsWith(`${each}/`));
    expect(here || made, `${path} is in the repository or made by a command above`).toBe(true);
  }
}

describe.each(PAGES)("%s", (page) => {
  const commands = documentedCommands(page);

  // A page without commands has nothing to check.
  test.each([...new Set(commands.map(({ line }) => line))])("%s", async (line) => {
    for (const command of commands.filter((each) => each.line === line)) {
      checkProgram(command);
      await checkArguments(command);
    }
  });

  test("each path it names is there, or made by a command above", async () => {
    const disk = new Disk();
    for (const command of commands) await disk.after(command);
  });
});

test("docs/runner.md shows all commands but score, which README shows", () => {
  const shown = (page: string): Set<string> =>
    new Set(documentedCommands(page).flatMap((command) => argumentsOf(command, "srpo")?.[0] ?? []));
  expect(Object.keys(COMMANDS).filter((name) => !shown("docs/runner.md").has(name))).toEqual(["score"]);
  expect(shown("README.md")).toContain("score");
});

test.each(readdirSync(RUN_FILES))("%s", async (name) => {
  const { config } = await readRunFile(join(RUN_FILES, name));
  const plan = planOf(config);
  expect(readFileSync("docs/runner.md", "utf8")).toContain(`${RUN_FILES}/${name}`);
  // Its files cannot be checked without existing; whether its keys are consistent can.
  expect(plan.stages.includes("sft")).toBe(plan.data.reflections !== null);
  if (plan.lora.adapter === null)
    expect(await loadOptions(plan, config.settings)).toMatchObject({ lora: { rank: 16 }, frozenFormat: "f16" });
});
