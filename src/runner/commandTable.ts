/** The runner's commands by name, and their help. */
import type { RunnerCommand } from "./arguments/command";
import type { Flags } from "./arguments/flags";
import { helpText } from "./arguments/help";
import { matmulFlag } from "./arguments/matmulVariant";

/** Loaded on demand: scoring needs no tensors, help needs no policy. */
export const COMMANDS: Readonly<Record<string, () => Promise<RunnerCommand>>> = {
  train: async () => (await import("./commands/train")).trainCommand,
  config: async () => (await import("./commands/config")).configCommand,
  recipes: async () => (await import("./commands/recipes")).recipesCommand,
  data: async () => (await import("./commands/data")).dataCommand,
  reflect: async () => (await import("./commands/reflect")).reflectCommand,
  merge: async () => (await import("./commands/merge")).mergeCommand,
  sample: async () => (await import("./commands/sample")).sampleCommand,
  score: async () => (await import("./commands/score")).scoreCommand,
  grade: async () => (await import("./commands/grade")).gradeCommand,
  verify: async () => (await import("./commands/verify")).verifyCommand,
  eval: async () => (await import("./commands/eval")).evalCommand,
  inspect: async () => (await import("./commands/inspect")).inspectCommand,
  synth: async () => (await import("./commands/synth")).synthCommand,
  serve: async () => (await import("./commands/serve")).serveCommand,
};

/** Commands that open a backend also take --matmul. */
export function flagsOf({ flags }: RunnerCommand): Flags {
  return "backend" in flags ? { ...flags, matmul: matmulFlag } : flags;
}

/** What `srpo COMMAND --help` prints. */
export function commandHelp(name: string, command: RunnerCommand): string {
  const { description, examples } = command;
  return helpText({ command: `npm run srpo -- ${name}`, description, flags: flagsOf(command), examples });
}

/** What `srpo --help` prints: the commands. */
export async function overview(): Promise<string> {
  const rows = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => [name, (await load()).description] as const),
  );
  return helpText({
    command: "npm run srpo -- COMMAND",
    description: "Train, evaluate and inspect SRPO policies without the page.",
    flags: {},
    entries: { title: "Commands", rows },
    examples: ["npm run srpo -- train --help"],
  });
}
