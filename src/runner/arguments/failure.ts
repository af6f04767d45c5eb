/** How a command of this project fails: one line on stderr, and an exit code that tells bad input from failure. */
import { CheckpointError } from "../../policy/checkpoint/checkpointFiles";
import { SafetensorsError } from "../../policy/checkpoint/safetensors";
import { SettingsError } from "../../training/configure";
import { SnapshotError } from "../../training/snapshot";
import { UnusableProblemError } from "../../training/unusableProblem";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";
import { UsageError } from "./usage";

/** No message that we write is longer; what is may hold a whole record. */
const LONGEST = 4000;

/** Errors in the input: the command line, a file, a folder. */
const INPUT_ERRORS = [
  UsageError,
  InputError,
  UnusableProblemError,
  CheckpointError,
  SafetensorsError,
  SettingsError,
  SnapshotError,
];

/** Print the error as one line. → exit code: 2 for bad input, 1 for everything else */
export function reportFailure(program: string, error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${program}: ${shortened(message, LONGEST)}\n`);
  return INPUT_ERRORS.some((kind) => error instanceof kind) ? 2 : 1;
}
