/**
 * A published member's shape with random weights: decoded tokens per second, a GRPO step on an adapter, peak memory;
 * ours and transformers + PEFT, one after the other, since both may not fit the device at once. Runs only when named:
 * it writes a checkpoint of gigabytes and needs a GPU. See docs/performance.md.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ShapeName } from "../../policy/checkpoint/shapes";
import { planShards } from "../../policy/checkpoint/shards";
import { SyntheticValues, syntheticFiles, syntheticTensors } from "../../policy/syntheticCheckpoint";
import { writeFolder } from "../../runner/files/atomicWrite";
import { writeShards } from "../../runner/files/shardWriter";
import type { Benchmark, FullSizeSetting, Outcome, Setting } from "../benchmark";
import { requireSame } from "../comparison";
import { measureOurs } from "../fullSize/ours";
import { FULL_SCALE, type FullSizeFigures, type FullSizeWork, fullSizeWork, QUICK_SCALE } from "../fullSize/work";
import { measureTransformers } from "../peers/transformers/fullSize";
import type { Absent, Measurement } from "../results";
import { median, spread } from "../statistics";
import { bytes, figure } from "../tables";

/** Largest difference of a mean log-probability: our weights are f16, theirs bf16. */
const TOLERANCE = 0.05;
const SHARD_BYTES = 5e9;

export const fullSize: Benchmark = {
  name: "full-size",
  description: "decoding, a GRPO step and memory of a published shape, against transformers + PEFT (only by name)",
  async run(setting: Setting): Promise<Outcome> {
    const {
      backend,
      quick,
      onProgress,
      fullSize: { shape, folder, python, packing },
    } = setting;
    const made = folder === null ? await mkdtemp(join(tmpdir(), "srpo-full-size-")) : null;
    try {
      if (made !== null) await synthesise(shape, made, onProgress);
      const work = fullSizeWork(folder ?? made ?? "", shape, quick || shape === "tiny" ? QUICK_SCALE : FULL_SCALE);
      const ours = await measureOurs(backend, packing, work, onProgress);
      const absent: Absent[] = [];
      let theirs: FullSizeFigures | null = null;
      try {
        theirs = await measureTransformers(python, work, onProgress);
        requireSame([theirs.check], [ours.check], TOLERANCE);
      } catch (error) {
        theirs = null;
        absent.push({
          benchmark: "full-size",
          backend,
          workload: "all",
          contender: "transformers",
          why: error instanceof Error ? error.message : String(error),
        });
      }
      const libraries: readonly (readonly [string, FullSizeFigures])[] = [
        ["ours", ours],
        ...(theirs === null ? [] : [["transformers", theirs] as const]),
      ];
      return {
        measurements: measurements(setting, work, libraries),
        absent,
        adapters: Object.fromEntries(libraries.map(([name, { engine }]) => [`full-size ${name}`, engine])),
        notes: libraries.map(
          ([name, { engine, check, peakBytes }]) =>
            `${name}: ${engine}; peak memory ${peakBytes === null ? "not known" : bytes(peakBytes)}; mean ` +
            `log-probability of the checked response ${figure(check)}.`,
        ),
      };
    } finally {
      if (made !== null) await rm(made, { recursive: true, force: true });
    }
  },
};

async function synthesise(shape: ShapeName, out: string, onProgress: (what: string) => void): Promise<void> {
  const tensors = syntheticTensors(shape, "bf16");
  const plan = planShards(tensors, SHARD_BYTES);
  const values = new SyntheticValues(0, "bf16", tensors);
  await writeFolder(out, syntheticFiles(shape, "bf16"));
  onProgress(`writing ${bytes(plan.bytes)} of random weights`);
  await writeShards(
    out,
    plan,
    (tensor) => values.pieces(tensor),
    () => undefined,
  );
}

/** Rows of the table; times of both libraries by repetition, ratios of their medians. */
export function measurements(
  {
    backend,
    fullSize: { shape },
  }: { readonly backend: Setting["backend"]; readonly fullSize: Pick<FullSizeSetting, "shape"> },
  work: FullSizeWork,
  libraries: readonly (readonly [string, FullSizeFigures])[],
): Measurement[] {
  const { newTokens, groupSize, step } = work;
  const responses = step.prompts * groupSize;
  const rows: readonly {
    readonly workload: string;
    readonly times: (figures: FullSizeFigures) => readonly number[];
    readonly perUnit: number;
    readonly unit: string;
  }[] = [
    ...work.batches.map((batch) => ({
      workload: `${shape}, decoding ${batch} rows, a token each`,
      times: (figures: FullSizeFigures) => decodeStep(figures, batch, newTokens),
      perUnit: batch,
      unit: "tokens/s",
    })),
    {
      workload: `${shape}, GRPO step of ${responses} responses of ${step.newTokens}`,
      times: ({ step: { rollout, update } }) => rollout.map((time, i) => time + (update[i] ?? Number.NaN)),
      perUnit: responses * step.newTokens,
      unit: "tokens/s",
    },
    {
      workload: `${shape}, update of that step`,
      times: ({ step: { update } }) => update,
      perUnit: responses * step.newTokens,
      unit: "tokens/s",
    },
  ];
  return rows.flatMap(({ workload, times, perUnit, unit }) => {
    const [first] = libraries;
    const base = first === undefined ? Number.NaN : median(times(first[1]));
    return libraries.map(([contender, figures]): Measurement => {
      const milliseconds = spread(times(figures));
      return {
        benchmark: "full-size",
        backend,
        workload,
        contender,
        milliseconds,
        ratio: milliseconds.median / base,
        rate: { value: (1000 * perUnit) / milliseconds.median, unit },
        ...(figures.peakBytes === null ? {} : { counts: { bytesHeld: figures.peakBytes } }),
      };
    });
  });
}

/**
 * Milliseconds per decode step: the time of the tokens after the first.
 * @throws Error when the machine was too busy to measure it
 */
function decodeStep({ decode }: FullSizeFigures, batch: number, newTokens: number): readonly number[] {
  const found = decode.find((row) => row.batch === batch);
  if (found === undefined) throw new Error(`Decoding ${batch} rows was not measured.`);
  const first = median(found.first);
  const times = found.all.map((all) => (all - first) / (newTokens - 1));
  if (times.some((time) => time <= 0))
    throw new Error(
      `Decoding ${batch} rows took no longer for ${newTokens} tokens than for one: the machine is too busy, ` +
        "measure again.",
    );
  return times;
}
