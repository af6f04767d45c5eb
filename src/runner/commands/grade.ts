/** `grade`: is an answer right, and why: one JSON line a pair, with the normal forms that were compared. */
import { z } from "zod";
import { gradeAnswer } from "../../srpo/grader/grader";
import type { RunnerCommand } from "../arguments/command";
import { parseLines, readInput } from "../arguments/inputFile";
import { answerRuleOf, answerRuleShape } from "../data/answerRules";

const textual = z.union([z.string(), z.number()]).transform(String);
const pairSchema = z
  .object({
    answer: textual,
    truth: textual.optional(),
    gold: textual.optional(),
    ...answerRuleShape,
  })
  .transform(({ truth, gold, ...pair }, context) => {
    const right = truth ?? gold;
    if (right !== undefined) return { ...pair, truth: right };
    context.addIssue({ code: "custom", path: ["truth"], message: "is missing (gold is read too)" });
    return z.NEVER;
  });

export const gradeCommand: RunnerCommand = {
  description: "Grade answers: one JSON line a pair with the verdict, the reason and the forms compared",
  flags: {
    input: {
      type: "string",
      required: true,
      valueHint: "pairs.jsonl",
      description: "Lines of {answer, truth, answerKind?, tolerance?}",
    },
    grader: {
      type: "string",
      default: "equivalent",
      valueHint: "equivalent|exact",
      description: "Same meaning, or the same text as the released scorer asks for",
    },
  },
  examples: ["npm run srpo -- grade --input src/srpo/golden/grader_pairs.jsonl"],
  async run(args) {
    const grader = args.oneOf("grader", ["equivalent", "exact"] as const);
    const path = args.text("input");
    for (const { answer, truth, ...rule } of parseLines(path, await readInput(path), pairSchema)) {
      const grade = gradeAnswer(answer, { answer: truth, ...answerRuleOf(rule) }, grader);
      process.stdout.write(`${JSON.stringify(grade)}\n`);
    }
    return 0;
  },
};
