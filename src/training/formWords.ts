/** Can the policy write the words that open and close a reflection? Asked when a run opens, before any sampling. */
import type { Policy } from "../policy/policy";
import { TokenizerError } from "../policy/processor/tokenizer";
import { type ReflectionForm, wordsOf } from "../srpo/reflectionForm";

/** @throws Error naming the words of the form that the policy's vocabulary does not have */
export function refuseUnknownWords({ tokenizer }: Pick<Policy, "tokenizer">, form: ReflectionForm): void {
  try {
    tokenizer.encode(wordsOf(form));
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    throw new Error(
      `settings: reflectionForm.${form.kind === "tags" ? "tag" : "trigger"}: the policy cannot write this form of ` +
        `reflection. ${error.message}`,
      { cause: error },
    );
  }
}
