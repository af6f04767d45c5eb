/** From a run's plan to how its policy is loaded and where its problems come from; shared by `train` and `serve`. */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import type { LoadOptions } from "../../policy/policy";
import { type ProblemSource, taskSource } from "../../training/problemSource";
import type { Settings } from "../../training/settings";
import { settingsOf } from "../arguments/settingsArguments";
import { type Arguments, UsageError } from "../arguments/usage";
import { openDataSource } from "../data/dataSource";
import type { RecordFaults } from "../data/recordFaults";
import { InputError } from "../files/inputError";
import type { RunPlan } from "./runPlan";

/** @throws InputError when packing, adapter and settings contradict one another */
export async function loadOptions(
  {
    policy,
    packing,
    lora: { rank, adapter, ...lora },
    data: { maxPixels },
    allowNonFinite,
  }: Pick<RunPlan, "policy" | "packing" | "lora" | "data" | "allowNonFinite">,
  settings: Settings,
): Promise<LoadOptions> {
  const trainsAdapter = rank > 0 || adapter !== null;
  if (!trainsAdapter) {
    if (packing !== "f32")
      throw new InputError(
        `packing ${packing} rounds weights, which only an adapter leaves frozen: set lora.rank above 0 or ` +
          "packing to f32",
      );
    return { trainable: settings.freezeVision ? "language" : "all", maxPixels, allowNonFinite };
  }
  if (!settings.freezeVision)
    throw new InputError("settings.freezeVision is false; with an adapter (lora) it must be true");
  if (adapter === null)
    return {
      lora: { rank, ...lora, baseModel: policy },
      seed: settings.seed,
      frozenFormat: packing,
      maxPixels,
      allowNonFinite,
    };
  if (rank > 0)
    throw new InputError(
      `lora.rank ${rank} is for a new adapter, but lora.adapter ${adapter} has its own rank: set rank to 0 or ` +
        "remove adapter",
    );
  return { adapter: await openDirectory(adapter), frozenFormat: packing, maxPixels, allowNonFinite };
}

/** A run's problems; the digest of their texts for a data set, null for the built-in problems. */
export interface ResolvedSource {
  readonly source: ProblemSource;
  readonly digest: string | null;
}

/** The plan's data set, else the built-in problems. @throws InputError */
export async function resolveSource(
  { data, stages, reflectionForm }: Pick<RunPlan, "data" | "stages" | "reflectionForm">,
  faults: RecordFaults,
): Promise<ResolvedSource> {
  const { train, heldOut, images, instruction, reflections, maxPromptTokens } = data;
  if (train === null) {
    const named = Object.entries({ heldOut, images, instruction, reflections, maxPromptTokens }).find(
      ([, value]) => value !== null,
    );
    if (named !== undefined) throw new InputError(`data.${named[0]} is set but data.train is not: set both or neither`);
    return { source: taskSource, digest: null };
  }
  if (stages.some((stage) => stage === "sft") && reflections === null)
    throw new InputError(
      'data.reflections is required for the stage sft: make the file with srpo reflect, or set stages to ["grpo"]',
    );
  return openDataSource({ train, heldOut, images, instruction, reflections, maxPromptTokens, reflectionForm }, faults);
}

/** A resumed run keeps its original data. @throws InputError when the texts have changed */
export function refuseOtherData(stored: RunPlan, digest: string | null, folder: string): void {
  if (stored.dataDigest === null || stored.dataDigest === digest) return;
  const { train, heldOut, instruction, reflections } = stored.data;
  const files = [train, heldOut, instruction, reflections].filter((path) => path !== null);
  throw new InputError(
    `the data of the run in ${folder} has changed (questions, answers, instruction or reflections in ` +
      `${files.join(", ")}): ` +
      "restore the files, or start a new run in another folder",
  );
}

/** The problems of --data, else the built-in ones. → size: number of records, null for the built-in problems */
export async function sourceFromFlags(
  args: Arguments,
  faults: RecordFaults,
): Promise<{ readonly source: ProblemSource; readonly size: number | null }> {
  const data = args.optional("data");
  if (data === null) {
    const named = ["images", "instruction"].find((flag) => args.optional(flag) !== null);
    if (named !== undefined) throw new UsageError(`--${named} requires --data`);
    return { source: taskSource, size: null };
  }
  const { source, size } = await openDataSource(
    {
      train: data,
      heldOut: data,
      images: args.optional("images"),
      instruction: args.optional("instruction"),
      reflections: null,
      reflectionForm: settingsOf(args).reflectionForm,
    },
    faults,
  );
  return { source, size };
}
