/** An npm script as a command: its flags, its help, and failures as one line on stderr. */
import { reportFailure } from "./failure";
import type { Flags } from "./flags";
import { helpText } from "./help";
import { type Arguments, parseArguments } from "./usage";

export interface Script {
  /** Of the npm script, e.g. "bench:memory". */
  readonly name: string;
  readonly description: string;
  readonly flags: Flags;
  /** Command lines for the help, ready to copy. */
  readonly examples: readonly string[];
  /** → exit code */
  run(args: Arguments): Promise<number>;
}

/** Runs the script with this process's arguments, or prints its help, and sets the exit code. */
export async function runScript({ name, description, flags, examples, run }: Script): Promise<void> {
  const rawArgs = process.argv.slice(2);
  if (rawArgs.includes("--help") || rawArgs.includes("-h")) {
    process.stdout.write(helpText({ command: `npm run ${name} --`, description, flags, examples }));
    return;
  }
  try {
    process.exitCode = await run(parseArguments(rawArgs, flags));
  } catch (error) {
    process.exitCode = reportFailure(name, error);
  }
}
