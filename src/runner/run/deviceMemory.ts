/**
 * What a run will take on the device, from config.json and the run's settings: decides whether layers are made again in
 * the backward pass, and refuses a run that cannot fit, before anything is loaded.
 *
 * Lengths of prompts are not known before the data is read. To decide on recomputation a prompt counts as 1,024 tokens;
 * to refuse, as none, so that what is refused would not have fitted whatever the prompts.
 */
import type { CheckpointFiles } from "../../policy/checkpoint/checkpointFiles";
import { parseConfig } from "../../policy/checkpoint/config";
import { readAdapterConfig } from "../../policy/layers/lora";
import { type MemoryPlan, type PlanOptions, planMemory } from "../../policy/memoryPlan";
import type { LoadOptions } from "../../policy/policy";
import type { BackendName } from "../../tensor/backend";
import type { AdapterLimits } from "../../tensor/webgpu/device";
import type { Settings } from "../../training/settings";
import { byteCount, readableBytes } from "../arguments/bytes";
import { UsageError } from "../arguments/usage";
import { backendLimits, memoryOf } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { loadOptions } from "./resolveSource";
import type { RunPlan } from "./runPlan";

/** Kept activations beyond this are made again instead. */
export const KEPT_ACTIVATION_BYTES = 1e9;
const ASSUMED_PROMPT = 1024;

type Planned = Pick<RunPlan, "policy" | "packing" | "lora" | "data" | "recompute" | "memory">;

/**
 * How the run's policy is to be loaded. @param files the policy's folder: config.json is read @throws UsageError where
 * its keys do not go together, or its policy cannot be planned
 */
export async function recomputingOptions(
  plan: Planned,
  settings: Settings,
  files: CheckpointFiles,
): Promise<LoadOptions> {
  const options = await loadOptions(plan, settings);
  if (plan.recompute !== "auto") return { ...options, recompute: plan.recompute === "layers" };
  const { activations } = await memoryPlanOf(plan, files, options, settings, { promptTokens: ASSUMED_PROMPT });
  return { ...options, recompute: activations > KEPT_ACTIVATION_BYTES };
}

/** The same, refused where the backend cannot hold it. @throws UsageError with the numbers */
export async function fittingOptions(
  plan: Planned,
  settings: Settings,
  files: CheckpointFiles,
  backend: BackendName,
): Promise<LoadOptions> {
  const options = await recomputingOptions(plan, settings, files);
  const limits = await backendLimits(backend);
  const available = plan.memory === null ? memoryOf(backend, limits) : byteCount("memory", plan.memory);
  refuseTooLarge(
    plan.policy,
    await memoryPlanOf(plan, files, options, settings, { promptTokens: 1, records: backend === "webgpu" }),
    options.recompute === true,
    limits,
    available,
  );
  return options;
}

/**
 * @param available bytes; null: not known @throws UsageError that says what is needed, what there is, and what would
 * need less
 */
export function refuseTooLarge(
  policy: string,
  plan: MemoryPlan,
  recompute: boolean,
  limits: Pick<AdapterLimits, "adapter" | "bufferBytes">,
  available: number | null,
): void {
  const trainedBuffer = 4 * plan.trained; // theta is one buffer, as are its gradient and moments
  const largest = Math.max(trainedBuffer, plan.largestWeight.bytes);
  if (largest > limits.bufferBytes) {
    const what =
      trainedBuffer === largest
        ? `its ${plan.trained.toLocaleString("en")} trained values take ${readableBytes(trainedBuffer)} in one buffer`
        : `${plan.largestWeight.key} takes ${readableBytes(largest)}`;
    throw new UsageError(
      `${policy} cannot be trained so on ${limits.adapter}: ${what}, and its buffers hold ` +
        `${readableBytes(limits.bufferBytes)}; set lora.rank (an adapter), or a narrower packing with it`,
    );
  }
  const needed = recompute ? plan.peakRecomputed : plan.peak;
  if (available === null || needed <= available) return;
  const parts = [
    `${readableBytes(plan.frozenWeights)} of frozen weights`,
    `${readableBytes(plan.trainedState)} for ${plan.trained.toLocaleString("en")} trained values with gradient and ` +
      "moments",
    ...(plan.reference > 0 ? [`${readableBytes(plan.reference)} for the copy that the KL term needs`] : []),
    `${readableBytes(needed - plan.frozenWeights - plan.trainedState - plan.reference)} to sample or to update`,
  ];
  throw new UsageError(
    `${policy} does not fit on ${limits.adapter}: the run needs at least ${readableBytes(needed)} ` +
      `(${parts.join(", ")}), there are ${readableBytes(available)}; set lora.rank and packing f16 or ` +
      `int4${recompute ? "" : ", recompute layers"}, or lower settings.microBatchRows, settings.maxNewTokens or ` +
      "settings.rollout.slots",
  );
}

async function memoryPlanOf(
  { policy }: Planned,
  files: CheckpointFiles,
  options: LoadOptions,
  settings: Settings,
  given: Pick<PlanOptions, "promptTokens" | "records">,
): Promise<MemoryPlan> {
  const config = await asInput(
    policy,
    files.read("config.json").then((bytes) => parseConfig(new TextDecoder().decode(bytes))),
  );
  const lora = options.adapter == null ? (options.lora ?? null) : await readAdapterConfig(options.adapter);
  const asked: PlanOptions = {
    trainable: lora === null ? (options.trainable ?? "all") : "none",
    lora,
    ...(options.frozenFormat === undefined ? {} : { frozenFormat: options.frozenFormat }),
    groupSize: settings.grpo.groupSize,
    prompts: settings.grpo.prompts,
    slots: settings.rollout.slots,
    cache: settings.rollout.cache,
    ...given,
    imageTokens: 0,
    completionTokens: settings.maxNewTokens,
    microBatch: settings.microBatchRows,
    kl: settings.grpo.beta > 0,
  };
  return planMemory(config, asked);
}
