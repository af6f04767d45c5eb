/** The runner's commands by name. */
import type { RunnerCommand } from "./arguments/command";

/** Loaded when they are asked for: scoring needs no tensors, help needs no policy. */
export const COMMANDS: Readonly<Record<string, () => Promise<RunnerCommand>>> = {
  train: async () => (await import("./commands/train")).trainCommand,
  config: async () => (await import("./commands/config")).configCommand,
  reflect: async () => (await import("./commands/reflect")).reflectCommand,
  merge: async () => (await import("./commands/merge")).mergeCommand,
  sample: async () => (await import("./commands/sample")).sampleCommand,
  score: async () => (await import("./commands/score")).scoreCommand,
  verify: async () => (await import("./commands/verify")).verifyCommand,
  eval: async () => (await import("./commands/eval")).evalCommand,
  inspect: async () => (await import("./commands/inspect")).inspectCommand,
  synth: async () => (await import("./commands/synth")).synthCommand,
  serve: async () => (await import("./commands/serve")).serveCommand,
};
