/**
 * `reflect`: make the reflection data of the SFT stage for your own data set. The policy answers; a teacher model
 * behind an OpenAI-compatible endpoint reflects on the answer. One JSON line per record is appended as it is made; a
 * stopped run continues where it was. Images, questions and answers of the data set are sent to that endpoint.
 */

import {
  adapterFlag,
  allowNonFiniteFlag,
  backendFlag,
  imagesFlag,
  maxPixelsFlag,
  onErrorFlag,
  packingFlag,
  policyFlag,
  type RunnerCommand,
  seedFlag,
  setFlag,
} from "../arguments/command";
import { settingsOf } from "../arguments/settingsArguments";
import { type Arguments, UsageError } from "../arguments/usage";
import { openPolicy } from "../backend/openPolicy";
import { openDataRecords } from "../data/dataRecords";
import { type Answer, type Asked, answers, askable } from "../data/policyAnswers";
import { readPrompt } from "../data/prompts";
import { costNote, linesOf, type Prices, summarised, summary, totalCost } from "../data/reflectionSummary";
import { type Cost, type Discarded, NO_COST, type ReflectionLine, reflectOn } from "../data/reflections";
import { ReflectionWriter } from "../data/reflectionWriter";
import { Teacher, TeacherFailure } from "../data/teacherClient";
import { appendLine } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { progressBar } from "../run/progress";
import { onErrorOf, SKIPPED_FILE, SkippedLog } from "../run/skippedLog";

/** Answers sampled together; fixed, because a record's random draws depend on its position in the chunk. */
const CHUNK = 8;

/** Beside the output file: what was skipped. */
const skippedPath = (out: string): string => out.replace(/(\.jsonl?)?$/, `.${SKIPPED_FILE}`);

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
    onError: onErrorFlag,
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
    const prices = pricesOf(args);
    const out = args.text("out");
    const lines = await linesOf(out);
    const done = new Set(lines.flatMap(({ problem, discarded }) => (discarded === undefined ? [problem] : [])));
    const bar = progressBar("reflect");
    const skipped = await SkippedLog.open(
      onErrorOf(args),
      skippedPath(out),
      true,
      (line) => void process.stderr.write(`${line}\n`),
      ({ id }) => id === undefined || !done.has(id),
    );
    const { faults } = skipped;
    const data = await openDataRecords(args.text("data"), args.optional("images"), faults);
    const wanted =
      args.optional("count") === null ? data.records.length : Math.min(data.records.length, args.integer("count", 1));
    const known = new Set(lines.map((line) => line.problem));
    const ids = new Set([...data.records, ...faults.skipped].map(({ id }) => id));
    const stray = lines.find(({ problem }) => !ids.has(problem));
    if (stray !== undefined)
      throw new InputError(
        `${out}: contains record "${stray.problem}", which is not in ${data.path}: ` +
          "choose another --out, or pass the data that it was made from",
      );
    const opened = await openPolicy(args, args.text("policy"), "none");
    await skipped.begin();
    const answered = lines.some(({ cost, refused }) => cost.requests > 0 && refused === undefined);
    const write = async (line: ReflectionLine): Promise<void> => {
      await appendLine(out, line);
      lines.push(summarised(line));
      bar.update(lines.length, wanted, costNote(totalCost(lines), prices));
    };
    const writer = new ReflectionWriter(answered, write, (record) => faults.found(record));
    /** A record that the teacher did not answer about. */
    const unanswered = (at: number, line: Discarded & { readonly cost: Cost }, failed: boolean): void => {
      const record = { ...data.place(at), reason: line.discarded };
      if (faults.onError === "stop") faults.found(record);
      writer.hold(line, record, failed);
    };
    /** Have the teacher reflect on a chunk of answers. → the first failure, once all have ended, so no line is lost */
    const taught = async (chunk: readonly Answer[]): Promise<{ readonly failed: unknown } | null> => {
      const made = await Promise.allSettled(
        chunk.map(async ({ at, record, problem, response }) => {
          try {
            const line = await reflectOn(problem, record.question, response, teacher, prompts);
            if ("refused" in line && line.refused) unanswered(at, line, false);
            else await writer.taught(line);
          } catch (error) {
            if (!(error instanceof TeacherFailure)) throw error;
            unanswered(at, { problem: record.id, discarded: error.message, refused: true, cost: NO_COST }, true);
          }
        }),
      );
      const failed = made.find((result) => result.status === "rejected");
      return failed === undefined ? null : { failed: failed.reason };
    };
    // The teacher reflects on one chunk while the policy answers the next.
    let teaching: ReturnType<typeof taught> = Promise.resolve(null);
    try {
      for (let first = 0; first < wanted; first += CHUNK) {
        const indices = Array.from({ length: Math.min(CHUNK, wanted - first) }, (_, i) => first + i);
        const isNew = ({ record }: Pick<Asked, "record">): boolean => !known.has(record.id);
        if (!indices.some((at) => !known.has(data.records[at]?.id ?? ""))) continue;
        const asked = await askable(opened.policy, data, indices, instruction, settings, faults);
        if (!asked.some(isNew)) continue;
        const chunk = (await answers(opened.policy, asked, first / CHUNK, settings)).filter(isNew);
        throwFailure(await teaching);
        teaching = taught(chunk);
      }
      throwFailure(await teaching);
      await writer.end();
    } finally {
      // Whatever ended the run, no answer that was asked for is lost.
      await teaching;
      bar.stop();
      for (const line of skipped.summary()) process.stderr.write(`${line}\n`);
      await opened.close();
    }
    process.stdout.write(`${JSON.stringify({ ...summary(lines, prices), skipped: faults.skipped.length })}\n`);
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

/** Null without prices. @throws UsageError when one of the two is missing */
function pricesOf(args: Arguments): Prices | null {
  const [prompt, completion] = [args.amount("promptPrice"), args.amount("completionPrice")];
  if (prompt === null && completion === null) return null;
  if (prompt === null || completion === null)
    throw new UsageError("--prompt-price and --completion-price must be given together");
  return { prompt, completion };
}
