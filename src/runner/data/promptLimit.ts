/** The limit that a run file may set on the length of a prompt, below what the policy takes: memory, or speed. */
import { UnusableProblemError } from "../../training/unusableProblem";

/** → the tokens. @throws UnusableProblemError above the limit of data.maxPromptTokens; null: no limit */
export function withinLimit(promptTokens: number, limit: number | null): number {
  if (limit === null || promptTokens <= limit) return promptTokens;
  throw new UnusableProblemError(
    `the prompt has ${promptTokens} tokens, more than data.maxPromptTokens (${limit}) allows`,
  );
}
