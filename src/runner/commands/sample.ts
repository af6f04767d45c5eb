/** `sample`: groups of responses to held-out problems, scored; nothing is trained. */
import { FAMILY_NAMES } from "../../tasks/problem";
import type { ProblemSource } from "../../training/problemSource";
import type { GroupRecord } from "../../training/records";
import { Session } from "../../training/session";
import type { TrainingProblem } from "../../training/trainingProblem";
import { answeringFlags, type RunnerCommand, rewardFlag, samplingFlags } from "../arguments/command";
import { settingsOf } from "../arguments/settingsArguments";
import { UsageError } from "../arguments/usage";
import { openPolicy } from "../backend/openPolicy";
import { sourceFromFlags } from "../run/resolveSource";
import { RewardFile } from "../run/rewardFile";
import { skippedOnStderr } from "../run/skippedLog";
import { TokenRate } from "../run/tokenRate";

export const sampleCommand: RunnerCommand = {
  description: "Sample groups of responses, with reward terms and advantages; nothing is trained",
  flags: {
    ...answeringFlags,
    family: {
      type: "string",
      valueHint: FAMILY_NAMES.join("|"),
      description: "Only problems of this family (with --data: category)",
    },
    problem: {
      type: "string",
      valueHint: "family:split:seed",
      description: "One problem, e.g. bars:eval:7 (with --data: its id)",
    },
    count: { type: "string", default: "1", valueHint: "n", description: "Number of problems" },
    ...samplingFlags,
    json: { type: "boolean", description: "Print one JSON line per group, without the image" },
    reward: rewardFlag,
  },
  examples: ["npm run srpo -- sample --family bars", "npm run srpo -- sample --data problems.jsonl --count 4 --json"],
  async run(args) {
    const reward = args.optional("reward") === null ? null : await RewardFile.open(args.text("reward"));
    const settings = reward?.addTo(settingsOf(args)) ?? settingsOf(args);
    const count = args.integer("count", 1);
    const skipped = await skippedOnStderr(args);
    const { source, size } = await sourceFromFlags(args, skipped.faults);
    const family =
      args.optional("family") === null || size !== null ? args.optional("family") : args.oneOf("family", FAMILY_NAMES);
    const problem = await problemNamed(source, args.optional("problem"));
    const opened = await openPolicy(args, args.text("policy"), "none");
    try {
      const session = new Session(opened.policy, settings, { source, ...(reward ? { scorer: reward.scorer } : {}) });
      const rate = new TokenRate();
      let tokens = 0;
      for (let i = 0; i < count; i++) {
        const group =
          problem === null
            ? await session.sample(family, args.boolean("greedy"))
            : await session.sampleProblem(problem, args.boolean("greedy"));
        tokens += group.samples.reduce((sum, sample) => sum + sample.tokenIds.length, 0);
        process.stdout.write(args.boolean("json") ? `${JSON.stringify(plain(group))}\n` : text(group));
      }
      process.stderr.write(rate.summary(tokens));
      for (const line of skipped.summary()) process.stderr.write(`${line}\n`);
    } finally {
      await opened.close();
    }
    return 0;
  },
};

async function problemNamed(source: ProblemSource, id: string | null): Promise<TrainingProblem | null> {
  if (id === null) return null;
  try {
    return await source.problemOf(id);
  } catch (error) {
    throw new UsageError(`--problem: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function plain({ problem: { picture: _picture, morePictures: _more, ...problem }, ...group }: GroupRecord): unknown {
  return { problem, ...group };
}

function text({ problem, samples, normalised }: GroupRecord): string {
  const head =
    `${problem.id}  ${problem.question}  (${problem.answer})  mean ${normalised?.mean.toFixed(3) ?? "?"} ` +
    `std ${normalised?.std.toFixed(3) ?? "?"}\n`;
  return (
    head +
    samples
      .map((sample, row) => {
        const score = sample.score;
        const verdict =
          score === undefined
            ? ""
            : "error" in score
              ? score.error
              : `${score.transition ?? "no transition"}  ${score.terms.total.toFixed(3)}  A ` +
                `${sample.advantage?.toFixed(2) ?? ""}`;
        return `  ${row + 1}. ${sample.text}\n     ${verdict}\n`;
      })
      .join("")
  );
}
