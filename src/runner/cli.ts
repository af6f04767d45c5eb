/**
 * The command line, `npm run srpo -- <command>`. Exit codes: 0 done; 1 failed, or a check failed (verify above
 * tolerance); 2 bad input (one line on stderr says what).
 */
import { reportFailure } from "./arguments/failure";
import { forceMatmul } from "./arguments/matmulVariant";
import { parseArguments, UsageError } from "./arguments/usage";
import { COMMANDS, commandHelp, flagsOf, overview } from "./commandTable";

/** Run one command. → exit code */
async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(await overview());
    return name === undefined ? 2 : 0;
  }
  const load = COMMANDS[name];
  if (load === undefined)
    throw new UsageError(`there is no command "${name}"; expected one of ${Object.keys(COMMANDS).join(", ")}`);
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(commandHelp(name, command));
    return 0;
  }
  const args = parseArguments(rest, flagsOf(command));
  forceMatmul(args);
  return command.run(args);
}

// `… | head` closes the pipe early; that is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => reportFailure("srpo", error));
