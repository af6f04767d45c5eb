/**
 * Can the policy write the words that open and close a reflection, and those that force one? Asked when a run opens and
 * when its settings change, before any sampling.
 */
import type { Policy } from "../policy/policy";
import { TokenizerError } from "../policy/processor/tokenizer";
import { wordsOf } from "../srpo/reflectionForm";
import type { Settings } from "./settings";

/** @throws Error naming the setting, and its words that the policy's vocabulary does not have */
export function refuseUnknownWords(
  policy: Pick<Policy, "tokenizer">,
  { reflectionForm, grpo }: Pick<Settings, "reflectionForm" | "grpo">,
): void {
  const form = `reflectionForm.${reflectionForm.kind === "tags" ? "tag" : "trigger"}`;
  check(policy, wordsOf(reflectionForm), `${form}: the policy cannot write this form of reflection`);
  const trigger = grpo.rethinking?.trigger ?? null;
  if (trigger !== null) check(policy, trigger, "grpo.rethinking.trigger: the policy cannot read this trigger");
}

function check({ tokenizer }: Pick<Policy, "tokenizer">, words: string, what: string): void {
  try {
    tokenizer.encodeText(words);
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    throw new Error(`settings: ${what}. ${error.message}`, { cause: error });
  }
}
