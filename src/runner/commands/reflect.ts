/**
 * `reflect`: the reflection data of the first stage for a data set of one's own. The policy answers, a teacher behind
 * an OpenAI-compatible endpoint reflects; one JSON line a record, appended as it is made, so that a run that was
 * stopped goes on where it stood. Pictures, questions and answers of the data set are sent to that endpoint.
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
import { progressBar } from "../run/progress";

/** Own answers sampled together; fixed, because a record's draws depend on its place in the chunk. */
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
    "Build reflection data: the policy's own answers, reflected on by a teacher at SRPO_TEACHER_URL (key: " +
    "SRPO_TEACHER_KEY). Exit 1 when none comes of it",
  flags: {
    data: {
      type: "string",
      required: true,
      valueHint: "file",
      description: "JSON lines or parquet of {image(s), question, answer}",
    },
    images: imagesFlag,
    maxPixels: maxPixelsFlag,
    out: {
      type: "string",
      required: true,
      valueHint: "jsonl",
      description: "File of reflections; what it holds already is not asked for again",
    },
    teacher: {
      type: "string",
      required: true,
      valueHint: "model",
      description: "Name of the teacher's model at the endpoint",
    },
    count: { type: "string", valueHint: "n", description: "Only the first n records" },
    rate: { type: "string", default: "60", valueHint: "n", description: "Requests a minute, at most" },
    tries: { type: "string", default: "6", valueHint: "n", description: "Tries of a request that may yet succeed" },
    promptPrice: {
      type: "string",
      valueHint: "price",
      description: "Price of a million prompt tokens, to count the cost in money",
    },
    completionPrice: { type: "string", valueHint: "price", description: "Price of a million completion tokens" },
    timeout: { type: "string", default: "120", valueHint: "s", description: "Seconds to wait for an answer" },
    correction: { type: "string", valueHint: "file", description: "Prompt for wrong solutions, in place of ours" },
    simplification: { type: "string", valueHint: "file", description: "Prompt for right solutions, in place of ours" },
    instruction: {
      type: "string",
      valueHint: "file",
      description: "Text below each question, in place of ours, which asks for a first solution",
    },
    policy: policyFlag,
    adapter: adapterFlag,
    packing: packingFlag,
    seed: seedFlag,
    backend: backendFlag,
    set: setFlag,
  },
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
      throw new UsageError(
        `--out ${out} holds a line about "${stray.problem}", which is no record of ${data.path}; give another file, ` +
          "or the data that it was made from",
      );
    const opened = await openPolicy(args, args.text("policy"), "none");
    const bar = progressBar("reflect");
    /**
     * Let the teacher write about a chunk of answers. → the first failure, once all have ended: lines of the others are
     * kept
     */
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
      // The teacher writes about one chunk while the policy answers the next.
      let teaching: ReturnType<typeof taught> = Promise.resolve(null);
      for (let first = 0; first < wanted; first += CHUNK) {
        const places = Array.from({ length: Math.min(CHUNK, wanted - first) }, (_, i) => first + i);
        if (places.every((at) => known.has(data.records[at]?.id ?? ""))) continue;
        const chunk = (await answers(opened.policy, data, places, instruction, settings)).filter(
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
      `srpo: no reflection came of ${lines.length} records; ${out} says why of each. Where answers could not be ` +
        `read, raise maxNewTokens (${settings.maxNewTokens}) or begin with a policy that follows the instruction\n`,
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
    throw new UsageError("SRPO_TEACHER_URL must hold the endpoint's base URL, e.g. http://127.0.0.1:8000/v1");
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

/** What the file holds already; half a line, left by a kill, is cut off. */
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

/** The policy's own first solutions; the same for a record however often it is asked for. */
async function answers(
  policy: Policy,
  data: DataRecords,
  places: readonly number[],
  instruction: string,
  settings: Settings,
): Promise<Answer[]> {
  const problems = await Promise.all(places.map((at) => dataProblem(data, at, instruction)));
  const rows = await sampleRows(
    policy,
    problems.map((problem) => encodeProblem(policy, problem)),
    null,
    {
      groupSize: 1,
      settings,
      step: streamStep("sft", Math.floor((places[0] ?? 0) / CHUNK)),
    },
    null,
  );
  return problems.flatMap((problem, i) => {
    const record = data.records[places[i] ?? -1];
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

/** Of a million tokens. */
interface Prices {
  readonly prompt: number;
  readonly completion: number;
}

/** Null without prices. @throws UsageError when one of the two is missing */
function pricesOf(args: Arguments): Prices | null {
  const [prompt, completion] = [args.amount("promptPrice"), args.amount("completionPrice")];
  if (prompt === null && completion === null) return null;
  if (prompt === null || completion === null)
    throw new UsageError("--prompt-price and --completion-price are needed together: a request costs both");
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
