/**
 * `reflect`: the reflection data of the first stage for a data set of one's own. The policy answers, a teacher behind an
 * OpenAI-compatible endpoint reflects; one JSON line a record, appended as it is made, so that a run that was stopped
 * goes on where it stood. Pictures, questions and answers of the data set are sent to that endpoint.
 */
import { z } from "zod";
import type { Policy } from "../../policy/policy";
import { streamStep } from "../../training/randomStreams";
import { encodeProblem, sampleRows } from "../../training/rollout";
import type { Settings } from "../../training/settings";
import { textOf } from "../../training/transcript";
import { appendLine, cutToWholeLines, readIfThere } from "../atomicWrite";
import { homeFlag, policyFlag, seedFlag, setFlag, type RunnerCommand } from "../command";
import { openDataRecords, type DataRecords } from "../dataRecords";
import { dataProblem } from "../dataSource";
import { parseLines } from "../inputFile";
import { openPolicy } from "../openPolicy";
import { progressBar } from "../progress";
import { readPrompt } from "../prompts";
import { NO_COST, reflectOn, type Cost, type ReflectionLine } from "../reflections";
import { settingsOf } from "../settingsArguments";
import { Teacher } from "../teacherClient";
import { UsageError, type Arguments } from "../usage";

/** Own answers sampled together; fixed, because a record's draws depend on its place in the chunk. */
const CHUNK = 8;

const costSchema = z.object({ requests: z.number(), promptTokens: z.number(), completionTokens: z.number() });
const lineSchema = z.object({ problem: z.string(), discarded: z.string().optional(), firstRight: z.boolean().optional(), cost: costSchema });

export const reflectCommand: RunnerCommand = {
  description: "Build reflection data: the policy's own answers, reflected on by a teacher at SRPO_TEACHER_URL (key: SRPO_TEACHER_KEY)",
  flags: {
    data: { type: "string", required: true, valueHint: "file", description: "JSON lines or parquet of {image(s), question, answer}" },
    images: { type: "string", valueHint: "dir", description: "What image paths are relative to; by default the folder of --data" },
    out: { type: "string", required: true, valueHint: "jsonl", description: "File of reflections; what it holds already is not asked for again" },
    teacher: { type: "string", required: true, valueHint: "model", description: "Name of the teacher's model at the endpoint" },
    count: { type: "string", valueHint: "n", description: "Only the first n records" },
    rate: { type: "string", default: "60", valueHint: "n", description: "Requests a minute, at most" },
    tries: { type: "string", default: "6", valueHint: "n", description: "Tries of a request that may yet succeed" },
    timeout: { type: "string", default: "120", valueHint: "s", description: "Seconds to wait for an answer" },
    correction: { type: "string", valueHint: "file", description: "Prompt for wrong solutions, in place of ours" },
    simplification: { type: "string", valueHint: "file", description: "Prompt for right solutions, in place of ours" },
    instruction: { type: "string", valueHint: "file", description: "Text below each question, in place of ours, which asks for a first solution" },
    policy: policyFlag,
    seed: seedFlag,
    home: homeFlag,
    set: setFlag,
  },
  async run(args) {
    const settings = settingsOf(args);
    const teacher = teacherOf(args);
    const prompts = { correction: await readPrompt("correction", args.optional("correction")), simplification: await readPrompt("simplification", args.optional("simplification")) };
    const instruction = await readPrompt("first-solution", args.optional("instruction"));
    const data = await openDataRecords(args.text("data"), args.optional("images"));
    const wanted = args.optional("count") === null ? data.records.length : Math.min(data.records.length, args.integer("count", 1));
    const out = args.text("out");
    const lines = await linesOf(out);
    const known = new Set(lines.map((line) => line.problem));
    const opened = await openPolicy(args, args.text("policy"), "none");
    const bar = progressBar("reflect");
    try {
      for (let first = 0; first < wanted; first += CHUNK) {
        const places = Array.from({ length: Math.min(CHUNK, wanted - first) }, (_, i) => first + i);
        if (places.every((at) => known.has(data.records[at]?.id ?? ""))) continue;
        const made = await Promise.allSettled((await answers(opened.policy, data, places, instruction, settings)).map(async ({ at, problem, response }) => {
          const record = data.records[at];
          if (record === undefined || known.has(record.id)) return;
          const line = await reflectOn(problem, record.question, response, teacher, prompts);
          await appendLine(out, line);
          lines.push(summarised(line));
          bar.update(lines.length, wanted, `${totalCost(lines).promptTokens + totalCost(lines).completionTokens} tokens`);
        }));
        const failed = made.find((result) => result.status === "rejected");
        if (failed !== undefined) throw failed.reason;
      }
    } finally {
      bar.stop();
      await opened.close();
    }
    process.stdout.write(`${JSON.stringify(summary(lines))}\n`);
    return 0;
  },
};

function teacherOf(args: Arguments): Teacher {
  const baseUrl = process.env["SRPO_TEACHER_URL"];
  if (baseUrl === undefined || !/^https?:\/\//.test(baseUrl)) throw new UsageError("SRPO_TEACHER_URL must hold the endpoint's base URL, e.g. http://127.0.0.1:8000/v1");
  return new Teacher({
    baseUrl, key: process.env["SRPO_TEACHER_KEY"] ?? null, model: args.text("teacher"),
    requestsPerMinute: args.integer("rate", 1), tries: args.integer("tries", 1), timeoutSeconds: args.integer("timeout", 1),
  });
}

type Summarised = z.output<typeof lineSchema>;

/** What the file holds already; half a line, left by a kill, is cut off. */
async function linesOf(path: string): Promise<Summarised[]> {
  await cutToWholeLines(path);
  return parseLines(path, new TextDecoder().decode(await readIfThere(path) ?? new Uint8Array(0)), lineSchema);
}

function summarised(line: ReflectionLine): Summarised {
  return { problem: line.problem, cost: line.cost, ...("discarded" in line ? { discarded: line.discarded } : { firstRight: line.firstRight }) };
}

/** The policy's own first solutions; the same for a record however often it is asked for. */
async function answers(policy: Policy, data: DataRecords, places: readonly number[], instruction: string, settings: Settings) {
  const problems = await Promise.all(places.map((at) => dataProblem(data, at, instruction)));
  const { temperature, maxNewTokens, seed } = settings;
  const rows = await sampleRows(policy, problems.map((problem) => encodeProblem(policy, problem)), null, {
    groupSize: 1, temperature, maxNewTokens, seed, step: streamStep("sft", Math.floor((places[0] ?? 0) / CHUNK)),
  }, null);
  return problems.flatMap((problem, i) => {
    const at = places[i];
    return at === undefined ? [] : [{ at, problem, response: textOf(policy, rows[i]?.[0]?.tokens ?? []) }];
  });
}

function totalCost(lines: readonly Summarised[]): Cost {
  return lines.reduce<Cost>((sum, { cost }) => ({
    requests: sum.requests + cost.requests, promptTokens: sum.promptTokens + cost.promptTokens, completionTokens: sum.completionTokens + cost.completionTokens,
  }), NO_COST);
}

function summary(lines: readonly Summarised[]): object {
  const right = lines.filter((line) => line.firstRight === true).length;
  const wrong = lines.filter((line) => line.firstRight === false).length;
  return { examples: right + wrong, right, wrong, discarded: lines.length - right - wrong, ...totalCost(lines) };
}
