/**
 * docs/runner.md and its run files stay true to the command line: every command parses, every run file is read, every
 * link leads somewhere.
 */
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseArguments } from "./arguments/usage";
import { COMMANDS } from "./commandTable";
import { loadOptions } from "./run/resolveSource";
import { readRunFile } from "./run/runConfig";
import { planOf } from "./run/runPlan";

const RUN_FILES = "docs/runs";
const guide = await readFile("docs/runner.md", "utf8");
/**
 * Lines of the guide's shell blocks that call the runner, without comments; a line that ends in a backslash goes on.
 */
const commands = [...guide.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block = ""]) => block.replaceAll(/\\\n\s*/g, "").split("\n"))
  .flatMap((line) => /npm run (?:--silent )?srpo -- ([^#>]*)/.exec(line)?.[1]?.trim() ?? []);

test("there are commands in it", () => {
  expect(new Set(commands.map((line) => line.split(" ")[0]))).toEqual(
    new Set(["synth", "inspect", "verify", "config", "reflect", "train", "serve", "eval", "sample", "merge"]),
  );
});

test.each(commands)("%s", async (line) => {
  const [name = "", ...rest] = line.split(/\s+/);
  const load = COMMANDS[name];
  if (load === undefined) throw new Error(`there is no command ${name}`);
  const { flags } = await load();
  const config = parseArguments(rest, flags).optional("config");
  if (config?.startsWith("docs/")) await access(config);
});

test.each(await readdir(RUN_FILES))("%s", async (name) => {
  const { config } = await readRunFile(join(RUN_FILES, name));
  const plan = planOf(config);
  expect(guide).toContain(`${RUN_FILES}/${name}`);
  // What its files would say needs its files; whether its keys go together does not.
  expect(plan.stages.includes("sft")).toBe(plan.data.reflections !== null);
  if (plan.lora.adapter === null)
    expect(await loadOptions(plan, config.settings)).toMatchObject({ lora: { rank: 16 }, frozenFormat: "f16" });
});
