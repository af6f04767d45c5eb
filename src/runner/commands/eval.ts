/** `eval`: accuracies, transitions and lengths of a policy on held-out problems. */

import { BOUNDS } from "../../training/bounds";
import type { EvaluationRecord } from "../../training/records";
import { Session } from "../../training/session";
import { answeringFlags, type RunnerCommand, samplingFlags } from "../arguments/command";
import { settingsOf } from "../arguments/settingsArguments";
import { openPolicy } from "../backend/openPolicy";
import { progressBar } from "../run/progress";
import { sourceFromFlags } from "../run/resolveSource";
import { skippedOnStderr } from "../run/skippedLog";
import { TokenRate, tokensPerSecond } from "../run/tokenRate";

const PROBLEMS = 192;

export const evalCommand: RunnerCommand = {
  description: "Evaluate a policy on held-out problems: accuracies, transitions, lengths",
  flags: {
    ...answeringFlags,
    problems: {
      type: "string",
      valueHint: "n",
      description: "Held-out problems (default: 192 built-in ones, or all of --data)",
    },
    samples: { type: "string", default: "1", valueHint: "n", description: "Samples per problem" },
    ...samplingFlags,
    json: { type: "boolean", description: "Print one JSON line instead of a table" },
  },
  examples: ["npm run srpo -- eval --problems 64", "npm run srpo -- eval --policy runs/first/grpo --samples 4 --json"],
  async run(args) {
    const settings = settingsOf(args);
    const samples = args.integer("samples", 1, BOUNDS.groupSize);
    const skipped = await skippedOnStderr(args);
    const { source, size } = await sourceFromFlags(args, skipped.faults);
    const problems =
      args.optional("problems") === null ? (size ?? PROBLEMS) : args.integer("problems", 1, BOUNDS.heldOut);
    const opened = await openPolicy(args, args.text("policy"), "none");
    const bar = progressBar("evaluate");
    const rate = new TokenRate();
    let sampled = 0;
    try {
      const session = new Session(opened.policy, settings, { source });
      const evaluation = await session.evaluate(problems, {
        samples,
        greedy: args.boolean("greedy"),
        onProgress: (done, total, tokens) => {
          sampled = tokens;
          bar.update(done, total, rate.note(tokens));
        },
      });
      const perSecond = rate.perSecond(sampled);
      bar.stop();
      process.stdout.write(
        args.boolean("json")
          ? `${JSON.stringify({ ...evaluation, tokensPerSecond: perSecond })}\n`
          : table(evaluation, perSecond),
      );
      for (const line of skipped.summary()) process.stderr.write(`${line}\n`);
    } finally {
      bar.stop();
      await opened.close();
    }
    return 0;
  },
};

function table(evaluation: EvaluationRecord, perSecond: number): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const { kept, fixed, stillWrong, spoilt } = evaluation.transitions;
  const rows: [string, string][] = [
    ["problems × samples", `${evaluation.problems} × ${evaluation.samples / evaluation.problems}`],
    ...(evaluation.skipped === undefined || evaluation.skipped === 0
      ? []
      : [["records skipped", String(evaluation.skipped)] satisfies [string, string]]),
    ["first answer right", percent(evaluation.accuracyFirst)],
    ["refined answer right", percent(evaluation.accuracyRefined)],
    ["well formed", percent(evaluation.wellFormed)],
    ["kept / fixed / still wrong / spoilt", [kept, fixed, stillWrong, spoilt].map(percent).join(" / ")],
    ["mean length (tokens)", evaluation.meanLength.toFixed(1)],
    ["sampled", tokensPerSecond(perSecond)],
    ...Object.entries(evaluation.byFamily).map(([family, { first, refined }]): [string, string] => [
      `  ${family}: first / refined`,
      `${percent(first)} / ${percent(refined)}`,
    ]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}
