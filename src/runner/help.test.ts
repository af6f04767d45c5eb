/** The help of every command fits 100 columns and names flags in kebab-case; docs and messages do too. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kebabCase } from "./arguments/flags";
import { HELP_WIDTH } from "./arguments/help";
import { parseArguments } from "./arguments/usage";
import { COMMANDS, commandHelp, flagsOf, overview } from "./commandTable";
import { start } from "./testing/spawned";

const commands = await Promise.all(
  Object.entries(COMMANDS).map(async ([name, load]) => ({ name, command: await load() })),
);
const CAMEL_CASE_FLAG = /(?<![\w-])--[a-z]+(?:-[a-z]+)*[A-Z]\w*/g;

function expectFits(help: string): void {
  expect(help.split("\n").filter((line) => [...line].length > HELP_WIDTH)).toEqual([]);
  expect(help.match(CAMEL_CASE_FLAG) ?? []).toEqual([]);
}

describe("help", () => {
  test.each(commands)("$name", ({ name, command }) => {
    const help = commandHelp(name, command);
    expectFits(help);
    for (const [flag, { type }] of Object.entries(flagsOf(command)))
      expect(help).toContain(type === "positional" ? flag.toUpperCase() : `--${kebabCase(flag)}`);
    // What the help offers to copy is accepted.
    for (const example of command.examples) {
      const words = example.replace(/ > .*$/, "").split(" ");
      expect(words.slice(0, 5)).toEqual(["npm", "run", "srpo", "--", name]);
      expect(() => parseArguments(words.slice(5), flagsOf(command))).not.toThrow();
    }
  });

  test("the list of commands", async () => {
    const help = await overview();
    expectFits(help);
    for (const { name, command } of commands) {
      expect(help).toContain(`  ${name}`);
      expect(help).toContain(command.description.split(" ").slice(0, 4).join(" "));
    }
  });

  test("attack/cli", { timeout: 60_000 }, async () => {
    const { code, out, err } = await start(["--help"], "src/attack/cli.ts").done;
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const flag of ["--tries", "--seed", "--json"]) expect(out).toContain(flag);
    expectFits(out);
  });

  test.each(["runner/scripts/pretrain", "runner/scripts/experiment", "bench/cli", "bench/memory", "bench/largeLoad"])(
    "%s",
    { timeout: 60_000 },
    async (script) => {
      const { code, out, err } = await start(["--help"], `src/${script}.ts`).done;
      expect(err).toBe("");
      expect(code).toBe(0);
      expect(out).toContain("--backend");
      expectFits(out);
    },
  );
});

test("docs and messages write flags in kebab-case", () => {
  // Settings keep the names that they have in a run file (--grpo.learningRate); these are flags of tsc, vite and
  // vitest, and CSS properties named after reward terms.
  const foreign = /^--(noEmit|logLevel|filesOnly|term-\w+)$/;
  const texts = ["README.md", ...files("docs", /\.md$/), ...files("src", /\.tsx?$/), ...files("e2e", /\.ts$/)];
  const wrong = texts.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(CAMEL_CASE_FLAG)]
      .filter(([flag]) => !foreign.test(flag))
      .map(([flag]) => `${file}: ${flag}`),
  );
  expect(wrong).toEqual([]);
});

function files(folder: string, name: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
