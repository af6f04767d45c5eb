/** Results of the learning runs: the evaluations in each run's folder, as one Markdown table and one JSON file. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { FAMILY_NAMES } from "../../tasks/problem";
import { type EvaluationRecord, STAGES } from "../../training/records";
import { UsageError } from "../arguments/usage";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
import { InputError } from "../files/inputError";

const share = z.number().min(0).max(1);
const evaluationSchema = z.object({
  step: z.int(),
  stage: z.enum(STAGES),
  problems: z.int(),
  samples: z.int(),
  accuracyFirst: share,
  accuracyRefined: share,
  wellFormed: share,
  meanLength: z.number(),
  transitions: z.object({ kept: share, fixed: share, stillWrong: share, spoilt: share }),
  byFamily: z.partialRecord(z.enum(FAMILY_NAMES), z.object({ first: share, refined: share })),
}) satisfies z.ZodType<EvaluationRecord, unknown>;

const FILE = "evaluations.json";

export async function writeEvaluations(folder: string, records: readonly EvaluationRecord[]): Promise<void> {
  const ordered = [...records].sort((a, b) => a.step - b.step);
  await writeAtomically(join(folder, FILE), `${JSON.stringify(ordered, null, 1)}\n`);
}

/** Empty if there is no file yet. @throws InputError when the file is damaged */
export async function readEvaluations(folder: string): Promise<EvaluationRecord[]> {
  const bytes = await readIfThere(join(folder, FILE));
  if (bytes === null) return [];
  const parsed = z.array(evaluationSchema).safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!parsed.success)
    throw new InputError(`${join(folder, FILE)}: not a list of evaluations; remove it to evaluate again`);
  return parsed.data;
}

/** One run: its seed, its arm ("sft" for the SFT stage), its evaluations by step. */
export interface LearningResult {
  readonly seed: number;
  readonly arm: string;
  readonly evaluations: readonly EvaluationRecord[];
}

export async function collectResults(out: string, arms: readonly string[]): Promise<LearningResult[]> {
  const names = await readdir(out).catch((error: unknown) => {
    throw new UsageError(`--out ${out}: cannot be read (${error instanceof Error ? error.message : String(error)})`);
  });
  const seeds = names.flatMap((name) => (/^seed-\d+$/.test(name) ? [Number(name.slice(5))] : [])).sort((a, b) => a - b);
  const results: LearningResult[] = [];
  for (const seed of seeds) {
    for (const arm of ["sft", ...arms]) {
      const evaluations = await readEvaluations(join(out, `seed-${seed}`, arm));
      if (evaluations.length > 0) results.push({ seed, arm, evaluations });
    }
  }
  return results;
}

const percent = (value: number): string => `${Math.round(100 * value)}`;

/** first / refined / right→wrong in %, well formed in %, mean length in tokens. */
function cell(record: EvaluationRecord): string {
  const { accuracyFirst, accuracyRefined, transitions, wellFormed, meanLength } = record;
  const shares = [accuracyFirst, accuracyRefined, transitions.spoilt].map(percent).join(" / ");
  return `${shares} %, ${percent(wellFormed)} %, ${meanLength.toFixed(0)}`;
}

/** One table per arm: a row per step, a column per seed. */
export function learningTable(results: readonly LearningResult[]): string {
  const arms = [...new Set(results.map(({ arm }) => arm))];
  const legend =
    "Each cell: first answer right / refined answer right / right→wrong, well formed, mean length in tokens; " +
    "held-out problems at T = 1.\n";
  return `${legend}\n${arms
    .map((arm) =>
      armTable(
        arm,
        results.filter((result) => result.arm === arm),
      ),
    )
    .join("\n")}`;
}

function armTable(arm: string, runs: readonly LearningResult[]): string {
  const steps = [...new Set(runs.flatMap(({ evaluations }) => evaluations.map(({ step }) => step)))].sort(
    (a, b) => a - b,
  );
  const rows = steps.map((step) => {
    const cells = runs
      .map(({ evaluations }) => evaluations.find((record) => record.step === step))
      .map((record) => (record === undefined ? "" : cell(record)));
    return `| ${step} | ${cells.join(" | ")} |`;
  });
  return [
    `### ${arm}`,
    "",
    `| step | ${runs.map(({ seed }) => `seed ${seed}`).join(" | ")} |`,
    `|---${"|---".repeat(runs.length)}|`,
    ...rows,
    "",
  ].join("\n");
}
