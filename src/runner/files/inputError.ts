/**
 * What a file, folder or device holds cannot be used. UsageError (usage.ts) is for what was typed; both end the command
 * with exit code 2 and one line on stderr.
 */
export class InputError extends Error {
  override readonly name = "InputError";
}
