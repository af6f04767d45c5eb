/** `config`: print a complete run file with every default, or explain its keys. */
import type { RunnerCommand } from "../arguments/command";
import { defaultRunConfig } from "../run/runConfig";
import { explainedPaths, explanationOf } from "../run/runConfigExplained";

export const configCommand: RunnerCommand = {
  description: "Print a complete run file for train --config, or explain its keys",
  flags: {
    explain: { type: "boolean", description: "Explain each key, with its default" },
  },
  examples: ["npm run srpo -- config > run.json", "npm run srpo -- config --explain"],
  run(args) {
    process.stdout.write(args.boolean("explain") ? explained() : `${JSON.stringify(defaultRunConfig, null, 2)}\n`);
    return Promise.resolve(0);
  },
};

function explained(): string {
  return explainedPaths()
    .map((dotted) => {
      const value = dotted
        .split(".")
        .reduce(
          (at: unknown, name) => (typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined),
          defaultRunConfig,
        );
      const section = typeof value === "object" && value !== null && !Array.isArray(value);
      const shown = section || value === undefined ? "" : ` = ${JSON.stringify(value)}`;
      return `${dotted}${shown}\n    ${explanationOf(dotted)}\n`;
    })
    .join("");
}
