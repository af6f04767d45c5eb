/**
 * `reflect`: make the reflection data of the SFT stage for your own data set. The policy answers; a teacher model
 * behind an OpenAI-compatible endpoint reflects on the answer. One JSON line per record is appended as it is made; a
 * stopped run continues where it was. Images, questions and answers of the data set are sent to that endpoint.
 */
import { z } from "zod";
import type { Policy } from "../../policy/policy";
import { streamStep } from "../../training/randomStreams";
import { encodeProblem, sampleRows } from "../../training/rollout";
import type { Settings } from "../../training/settings";
import type { TrainingProblem } from "../../training/trainingProblem";
import { textOf } from "../../training/transcript";
import {
  adapterFlag,
  allowNonFiniteFlag,
  backendFlag,
  imagesFlag,
  maxPixelsFlag,
  packingFlag,
  policyFlag,
  type RunnerCommand,
  seedFlag,
  setFlag,
} from "../arguments/command";
import { parseLines } from "../arguments/inputFile";
import { settingsOf } from "../arguments/settingsArguments";
import { type Arguments, UsageError } from "../arguments/usage";
import { openPolicy } from "../backend/openPolicy";
import { type DataRecord, type DataRecords, openDataRecords } from "../data/dataRecords";
import { dataProblem } from "../data/dataSource";
import { readPrompt } from "../data/prompts";
import { type Cost, NO_COST, type ReflectionLine, reflectOn } from "../data/reflections";
import { Teacher } from "../data/teacherClient";
import { appendLine, cutToWholeLines, readIfThere } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { progressBar } from "../run/progress";

/** Answers sampled together; fixed, because a record's random draws depend on its position in the chunk. */
const CHUNK = 8;

const costSchema = z.object({ requests: z.number(), promptTokens: z.number(), completionTokens: z.number() });
const lineSchema = z.object({
  problem: z.string(),
  discarded: z.string().optional(),
  firstRight: z.boolean().optional(),
  cost: costSchema,
});

export const reflectCommand: RunnerCommand = {
  description:
    "Make reflection data: the policy answers, a teacher model at SRPO_TEACHER_URL (key: SRPO_TEACHER_KEY) reflects",
  flags: {
    data: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "JSON Lines or Parquet with image(s), question, answer",
    },
    images: imagesFlag,
    maxPixels: maxPixelsFlag,
    out: {
      type: "string",
      required: true,
      valueHint: "jsonl",
      description: "Output file; records that it already contains are skipped",
    },
    teacher: {
      type: "string",
      required: true,
      valueHint: "model",
      description: "Name of the teacher model at the endpoint",
    },
    count: { type: "string", valueHint: "n", description: "Only the first n records" },
    rate: { type: "string", default: "60", valueHint: "n", description: "Maximum requests per minute" },
    tries: { type: "string", default: "6", valueHint: "n", description: "Attempts per request before giving up" },
    promptPrice: {
      type: "string",
      valueHint: "price",
      description: "Price per million prompt tokens, to report the cost",
    },
    completionPrice: { type: "string", valueHint: "price", description: "Price per million completion tokens" },
    timeout: { type: "string", default: "120", valueHint: "s", description: "Seconds to wait for an answer" },
    correction: { type: "string", valueHint: "file", description: "Your own teacher prompt for wrong solutions" },
    simplification: { type: "string", valueHint: "file", description: "Your own teacher prompt for right solutions" },
    instruction: {
      type: "string",
      valueHint: "file",
      description: "Text added below each question (default: asks for a first solution)",
    },
    policy: policyFlag,
    adapter: adapterFlag,
    allowNonFinite: allowNonFiniteFlag,
    packing: packingFlag,
    seed: seedFlag,
    backend: backendFlag,
    set: setFlag,
  },
  examples: ["npm run srpo -- reflect --data problems.jsonl --teacher gpt-4o --out reflections.jsonl"],
  async run(args) {
    const settings = settingsOf(args);
    const teacher = teacherOf(args);
    const prompts = {
      correction: await readPrompt("correction", args.optional("correction")),
      simplification: await readPrompt("simplification", args.optional("simplification")),
    };
    const instruction = await readPrompt("first-solution", args.optional("instruction"));
    const data = await openDataRecords(args.text("data"), args.optional("images"));
    const wanted =
      args.optional("count") === null ? data.records.length : Math.min(data.records.length, args.integer("count", 1));
    const prices = pricesOf(args);
    const out = args.text("out");
    const lines = await linesOf(out);
    const known = new Set(lines.map((line) => line.problem));
    const ids = new Set(data.records.map(({ id }) => id));
    const stray = lines.find(({ problem }) => !ids.has(problem));
    if (stray !== undefined)
      throw new InputError(
        `${out}: contains record "${stray.problem}", which is not in ${data.path}: ` +
          "choose another --out, or pass the data that it was made from",
      );
    const opened = await openPolicy(args, args.text("policy"), "none");
    const bar = progressBar("reflect");
    /** Have the teacher reflect on a chunk of answers. → the first failure, once all have ended, so no line is lost */
    const taught = async (chunk: readonly Answer[]): Promise<{ readonly failed: unknown } | null> => {
      const made = await Promise.allSettled(
        chunk.map(async ({ record, problem, response }) => {
          const line = await reflectOn(problem, record.question, response, teacher, prompts);
          await appendLine(out, line);
          lines.push(summarised(line));
          bar.update(lines.length, wanted, costNote(totalCost(lines), prices));
        }),
      );
      const failed = made.find((result) => result.status === "rejected");
      return failed === undefined ? null : { failed: failed.reason };
    };
    try {
      // The teacher reflects on one chunk while the policy answers the next.
      let teaching: ReturnType<typeof taught> = Promise.resolve(null);
      for (let first = 0; first < wanted; first += CHUNK) {
        const indices = Array.from({ length: Math.min(CHUNK, wanted - first) }, (_, i) => first + i);
        if (indices.every((at) => known.has(data.records[at]?.id ?? ""))) continue;
        const chunk = (await answers(opened.policy, data, indices, instruction, settings)).filter(
          ({ record }) => !known.has(record.id),
        );
        throwFailure(await teaching);
        teaching = taught(chunk);
      }
      throwFailure(await teaching);
    } finally {
      bar.stop();
      await opened.close();
    }
    process.stdout.write(`${JSON.stringify(summary(lines, prices))}\n`);
    if (lines.some(({ discarded }) => discarded === undefined)) return 0;
    process.stderr.write(
      `srpo: none of ${lines.length} records gave a reflection; ${out} has the reason for each. If answers could ` +
        `not be parsed, raise maxNewTokens (now ${settings.maxNewTokens}) or start from a policy that follows ` +
        "the instruction\n",
    );
    return 1;
  },
};

function throwFailure(result: { readonly failed: unknown } | null): void {
  if (result !== null) throw result.failed;
}

function teacherOf(args: Arguments): Teacher {
  const baseUrl = process.env.SRPO_TEACHER_URL;
  if (baseUrl === undefined || !/^https?:\/\//.test(baseUrl))
    throw new UsageError(
      "SRPO_TEACHER_URL is not set to the endpoint's base URL; expected e.g. http://127.0.0.1:8000/v1",
    );
  return new Teacher({
    baseUrl,
    key: process.env.SRPO_TEACHER_KEY ?? null,
    model: args.text("teacher"),
    requestsPerMinute: args.integer("rate", 1),
    tries: args.integer("tries", 1),
    timeoutSeconds: args.integer("timeout", 1),
  });
}

type Summarised = z.output<typeof lineSchema>;

/** The lines of the file; half a line, left by a killed process, is cut off. */
async function linesOf(path: string): Promise<Summarised[]> {
  await cutToWholeLines(path);
  return parseLines(path, new TextDecoder().decode((await readIfThere(path)) ?? new Uint8Array(0)), lineSchema);
}

function summarised(line: ReflectionLine): Summarised {
  return {
    problem: line.problem,
    cost: line.cost,
    ...("discarded" in line ? { discarded: line.discarded } : { firstRight: line.firstRight }),
  };
}

/** The policy's own solution of one record. */
interface Answer {
  readonly record: DataRecord;
  readonly problem: TrainingProblem;
  readonly response: string;
}

/** The policy's own first solutions; always the same for a record. */
async function answers(
  policy: Policy,
  data: DataRecords,
  indices: readonly number[],
  instruction: string,
  settings: Settings,
): Promise<Answer[]> {
  const problems = await Promise.all(indices.map((at) => dataProblem(data, at, instruction)));
  const rows = await sampleRows(
    policy,
    problems.map((problem) => encodeProblem(policy, problem)),
    null,
    {
      groupSize: 1,
      settings,
      step: streamStep("sft", Math.floor((indices[0] ?? 0) / CHUNK)),
    },
    null,
  );
  return problems.flatMap((problem, i) => {
    const record = data.records[indices[i] ?? -1];
    return record === undefined
      ? []
      : [{ record, problem, response: textOf(policy, rows[i]?.[0]?.tokens ?? [], settings.rollout.stopStrings) }];
  });
}

function totalCost(lines: readonly Summarised[]): Cost {
  return lines.reduce<Cost>(
    (sum, { cost }) => ({
      requests: sum.requests + cost.requests,
      promptTokens: sum.promptTokens + cost.promptTokens,
      completionTokens: sum.completionTokens + cost.completionTokens,
    }),
    NO_COST,
  );
}

/** Per million tokens. */
interface Prices {
  readonly prompt: number;
  readonly completion: number;
}

/** Null without prices. @throws UsageError when one of the two is missing */
function pricesOf(args: Arguments): Prices | null {
  const [prompt, completion] = [args.amount("promptPrice"), args.amount("completionPrice")];
  if (prompt === null && completion === null) return null;
  if (prompt === null || completion === null)
    throw new UsageError("--prompt-price and --completion-price must be given together");
  return { prompt, completion };
}

/** In the currency of the prices. */
function priceOf({ promptTokens, completionTokens }: Cost, { prompt, completion }: Prices): number {
  return (promptTokens * prompt + completionTokens * completion) / 1e6;
}

function costNote(cost: Cost, prices: Prices | null): string {
  const tokens = `${cost.promptTokens + cost.completionTokens} tokens`;
  return prices === null ? tokens : `${tokens}, ${priceOf(cost, prices).toFixed(2)}`;
}

function summary(lines: readonly Summarised[], prices: Prices | null): object {
  const right = lines.filter((line) => line.firstRight === true).length;
  const wrong = lines.filter((line) => line.firstRight === false).length;
  const cost = totalCost(lines);
  return {
    examples: right + wrong,
    right,
    wrong,
    discarded: lines.length - right - wrong,
    ...cost,
    price: prices === null ? null : priceOf(cost, prices),
  };
}
