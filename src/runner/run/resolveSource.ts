/**
 * What a run's plan names, opened: how its policy is loaded, and where its problems come from. The same for `train` and
 * `serve`.
 */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import type { LoadOptions } from "../../policy/policy";
import { type ProblemSource, taskSource } from "../../training/problemSource";
import type { Settings } from "../../training/settings";
import { type Arguments, UsageError } from "../arguments/usage";
import { openDataSource } from "../data/dataSource";
import type { RunPlan } from "./runPlan";

/** @throws UsageError where packing, adapter and settings do not go together */
export async function loadOptions(
  {
    policy,
    packing,
    lora: { rank, adapter, ...lora },
    data: { maxPixels },
  }: Pick<RunPlan, "policy" | "packing" | "lora" | "data">,
  settings: Settings,
): Promise<LoadOptions> {
  const trainsAdapter = rank > 0 || adapter !== null;
  if (!trainsAdapter) {
    if (packing !== "f32")
      throw new UsageError(
        `packing ${packing} is for weights that stay frozen under an adapter: set lora.rank above 0. Without one the ` +
          "whole policy is written at the end, and rounded weights would be written with it",
      );
    return { trainable: settings.freezeVision ? "language" : "all", maxPixels };
  }
  if (!settings.freezeVision)
    throw new UsageError("an adapter (lora) is trained alone: settings.freezeVision must be true");
  if (adapter === null)
    return { lora: { rank, ...lora, baseModel: policy }, seed: settings.seed, frozenFormat: packing, maxPixels };
  if (rank > 0)
    throw new UsageError(
      `lora.rank ${rank} is for a new adapter; lora.adapter ${adapter} has a rank of its own: leave rank at 0, or ` +
        "leave adapter out",
    );
  return { adapter: await openDirectory(adapter), frozenFormat: packing, maxPixels };
}

/** A run's problems, and the digest of their texts where they are a data set's. */
export interface PlannedSource {
  readonly source: ProblemSource;
  readonly digest: string | null;
}

/** The plan's data set, else the built-in problems. @throws UsageError */
export async function plannedSource({
  data: { train, maxPixels: _size, ...data },
  stages,
}: Pick<RunPlan, "data" | "stages">): Promise<PlannedSource> {
  if (train === null) {
    const named = Object.entries(data).find(([, path]) => path !== null);
    if (named !== undefined) throw new UsageError(`data.${named[0]} belongs to a data set, but data.train names none`);
    return { source: taskSource, digest: null };
  }
  if (stages.some((stage) => stage === "sft") && data.reflections === null)
    throw new UsageError(
      'the stage sft on a data set needs data.reflections; make the file with srpo reflect, or set stages to ["grpo"]',
    );
  return openDataSource({ train, ...data });
}

/** A run goes on with the data it was begun with. @throws UsageError */
export function refuseOtherData(stored: RunPlan, digest: string | null, folder: string): void {
  if (stored.dataDigest === null || stored.dataDigest === digest) return;
  const files = Object.values(stored.data).filter((path) => path !== null);
  throw new UsageError(
    `the run in ${folder} was begun with other data: questions, answers, instruction or reflections under data ` +
      `(${files.join(", ")}) have changed since; put the files back, or begin another run in another folder`,
  );
}

/** Problems to look at: those of --data, else the built-in ones. → how many there are, null for no end. */
export async function askedSource(
  args: Arguments,
): Promise<{ readonly source: ProblemSource; readonly size: number | null }> {
  const data = args.optional("data");
  if (data === null) {
    const named = ["images", "instruction"].find((flag) => args.optional(flag) !== null);
    if (named !== undefined) throw new UsageError(`--${named} belongs to --data, which is not given`);
    return { source: taskSource, size: null };
  }
  const { source, size } = await openDataSource({
    train: data,
    heldOut: data,
    images: args.optional("images"),
    instruction: args.optional("instruction"),
    reflections: null,
  });
  return { source, size };
}
