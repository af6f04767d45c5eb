/**
 * The command line, `npm run srpo -- <command>`. Exit codes: 0 done, 1 done and found wanting (verify above tolerance)
 * or failed, 2 the input was bad (one line on stderr says what).
 */
import { stripVTControlCharacters } from "node:util";
import { type ArgsDef, defineCommand, renderUsage } from "citty";
import { CheckpointError } from "../policy/checkpoint/checkpointFiles";
import { SettingsError } from "../training/configure";
import { SnapshotError } from "../training/snapshot";
import type { RunnerCommand } from "./arguments/command";
import { forceMatmul, matmulFlag } from "./arguments/matmulVariant";
import { parseArguments, UsageError } from "./arguments/usage";
import { COMMANDS } from "./commandTable";

/** Errors that are about the input, not about us. */
const INPUT_ERRORS = [UsageError, CheckpointError, SettingsError, SnapshotError];

/** Run one command. → exit code */
async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h") {
    await help(null);
    return name === undefined ? 2 : 0;
  }
  const load = COMMANDS[name];
  if (load === undefined)
    throw new UsageError(`there is no command "${name}"; expected one of ${Object.keys(COMMANDS).join(", ")}`);
  if (rest.includes("--help") || rest.includes("-h")) {
    await help(name);
    return 0;
  }
  const command = await load();
  const args = parseArguments(rest, flagsOf(command));
  forceMatmul(args);
  return command.run(args);
}

/** Commands that open a backend also take --matmul. */
function flagsOf({ flags }: RunnerCommand): ArgsDef {
  return "backend" in flags ? { ...flags, matmul: matmulFlag } : flags;
}

async function help(name: string | null): Promise<void> {
  const loaded = await Promise.all(
    Object.entries(COMMANDS).map(async ([key, load]) => {
      const command = await load();
      return [key, { description: command.description, flags: flagsOf(command) }] as const;
    }),
  );
  const subCommands = Object.fromEntries(
    loaded.map(([key, { description, flags }]) => [
      key,
      defineCommand({ meta: { name: key, description }, args: flags }),
    ]),
  );
  const root = defineCommand({ meta: { name: "npm run srpo --", description: "SRPO without the page" }, subCommands });
  const command = name === null ? undefined : subCommands[name];
  const usage = command === undefined ? await renderUsage(root) : await renderUsage(command, root);
  process.stdout.write(`${process.stdout.isTTY ? usage : stripVTControlCharacters(usage)}\n`);
}

/** Printed as one line; → exit code */
function report(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`srpo: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
  return INPUT_ERRORS.some((kind) => error instanceof kind) ? 2 : 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(report);
