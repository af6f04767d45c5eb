/**
 * `score`: reward terms of responses in a JSON Lines file, one JSON line per case, keyed as in
 * golden/reward_cases.jsonl.
 */
import { z } from "zod";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { type CountTokens, countWords } from "../../srpo/score";
import { REWARD_VARIANTS, type RewardTerms, type RewardVariant } from "../../srpo/types";
import { scoreSample } from "../../training/score";
import { loadTokenCounter } from "../../training/transcript";
import { onErrorFlag, type RunnerCommand, rewardFlag, setFlag } from "../arguments/command";
import { readInput, readLines } from "../arguments/inputFile";
import { settingsOf } from "../arguments/settingsArguments";
import { UsageError } from "../arguments/usage";
import { answerRuleOf, answerRuleShape } from "../data/answerRules";
import { InputError } from "../files/inputError";
import { RewardFile } from "../run/rewardFile";
import { onErrorOf } from "../run/skippedLog";

const caseSchema = z.object({
  id: z.union([z.string(), z.number()]),
  response: z.string(),
  answer: z.union([z.string(), z.number()]).transform(String),
  ...answerRuleShape,
});

/** The keys that the vectors have for a variant; the released scorers' `length` is the weighted one. */
function record({ note, ...terms }: RewardTerms, variant: RewardVariant): object {
  const values =
    variant === "paper" || variant === "gated"
      ? terms
      : {
          accuracy: terms.accuracy,
          format: terms.format,
          length: terms.lengthWeighted,
          ...(terms.custom ? { custom: terms.custom } : {}),
          total: terms.total,
        };
  return note === undefined ? values : { ...values, note };
}

export const scoreCommand: RunnerCommand = {
  description: "Score responses: one JSON line per case with every reward term and the total",
  flags: {
    input: { type: "string", required: true, valueHint: "cases.jsonl", description: "Lines of {id, response, answer}" },
    variant: {
      type: "string",
      default: "paper",
      valueHint: REWARD_VARIANTS.join("|"),
      description: "Reward variant, with its published tiers unless --set changes them",
    },
    tokens: {
      type: "string",
      default: "words",
      valueHint: "words|policy",
      description: "Unit of f_len: white-space words, or the policy's tokens",
    },
    policy: { type: "string", valueHint: "dir", description: "Policy folder, for --tokens policy" },
    reward: rewardFlag,
    onError: onErrorFlag,
    set: setFlag,
  },
  examples: [
    "npm run srpo -- score --input src/srpo/golden/reward_cases.jsonl",
    "npm run srpo -- score --input src/srpo/golden/reward_cases.jsonl --reward docs/examples/my-reward.ts",
  ],
  async run(args) {
    const variant = args.oneOf("variant", REWARD_VARIANTS);
    const tokens = args.oneOf("tokens", ["words", "policy"] as const);
    const path = args.text("input");
    const onError = onErrorOf(args);
    const cases = readLines(await readInput(path), caseSchema);
    const reward = args.optional("reward") === null ? null : await RewardFile.open(args.text("reward"));
    const settings = reward?.addTo(settingsOf(args)) ?? settingsOf(args);
    const scoring = { reward: { ...settings.reward, variant }, reflectionForm: settings.reflectionForm };
    const count = tokens === "words" ? countWords : await policyCounter(args.optional("policy"));
    let failed = 0;
    for (const read of cases) {
      if ("fault" in read) {
        if (onError === "stop") throw new InputError(`${path}, line ${read.line}: ${read.fault}`);
        failed++;
        process.stdout.write(`${JSON.stringify({ line: read.line, error: read.fault })}\n`);
        continue;
      }
      const { id, response, answer, ...rule } = read.value;
      const score = scoreSample(response, { answer, ...answerRuleOf(rule) }, scoring, count, reward?.scorer);
      if ("error" in score) failed++;
      const scored = "error" in score ? { error: score.error } : record(score.terms, variant);
      process.stdout.write(`${JSON.stringify({ id, ...scored })}\n`);
    }
    if (failed > 0) process.stderr.write(`score: ${path}: ${failed} of ${cases.length} lines have no score\n`);
    return failed > 0 ? 1 : 0;
  },
};

async function policyCounter(directory: string | null): Promise<CountTokens> {
  if (directory === null) throw new UsageError("--tokens policy requires --policy, the folder of the tokenizer");
  return loadTokenCounter(await openDirectory(directory));
}
