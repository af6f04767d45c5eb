/**
 * The memory that a run needs on the device, from config.json and the run's settings: decides whether layers are
 * recomputed in the backward pass, and rejects a run that cannot fit, before anything is loaded.
 *
 * Prompt lengths are unknown before the data is read. The recomputation decision assumes prompts of 1,024 tokens; the
 * fit check assumes 1 token, so a rejected run would not fit with any prompts.
 */
import { AdapterFile } from "../../policy/adapter/adapterFile";
import type { CheckpointFiles } from "../../policy/checkpoint/checkpointFiles";
import { parseConfig } from "../../policy/checkpoint/config";
import { type MemoryPlan, type PlanOptions, planMemory } from "../../policy/memoryPlan";
import type { LoadOptions } from "../../policy/policy";
import type { BackendName } from "../../tensor/backend";
import type { AdapterLimits } from "../../tensor/webgpu/device";
import type { Settings } from "../../training/settings";
import { byteCount, readableBytes } from "../arguments/bytes";
import { backendLimits, memoryOf } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { InputError } from "../files/inputError";
import { loadOptions } from "./resolveSource";
import type { RunPlan } from "./runPlan";

/** Above this, activations are recomputed instead of stored. */
export const KEPT_ACTIVATION_BYTES = 1e9;
const ASSUMED_PROMPT = 1024;

type PlanPart = Pick<RunPlan, "policy" | "packing" | "lora" | "data" | "recompute" | "memory" | "allowNonFinite">;

/**
 * How to load the run's policy.
 * @param files the policy's folder
 * @throws InputError when config.json or the plan is invalid
 */
export async function recomputingOptions(
  plan: PlanPart,
  settings: Settings,
  files: CheckpointFiles,
): Promise<LoadOptions> {
  const options = await loadOptions(plan, settings);
  if (plan.recompute !== "auto") return { ...options, recompute: plan.recompute === "layers" };
  const { activations } = await memoryPlanOf(plan, files, options, settings, { promptTokens: ASSUMED_PROMPT });
  return { ...options, recompute: activations > KEPT_ACTIVATION_BYTES };
}

/** The same, for a backend that can hold it. @throws InputError with the numbers when it cannot */
export async function fittingOptions(
  plan: PlanPart,
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
 * @param available bytes; null: unknown
 * @throws InputError that says what is needed, what is available and what to change
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
    throw new InputError(
      `${policy} cannot be trained with these settings on ${limits.adapter}: ${what}, ` +
        `but a buffer holds at most ${readableBytes(limits.bufferBytes)}; set lora.rank to train an adapter, ` +
        "and choose a smaller packing",
    );
  }
  const needed = recompute ? plan.peakRecomputed : plan.peak;
  if (available === null || needed <= available) return;
  const parts = [
    `${readableBytes(plan.frozenWeights)} of frozen weights`,
    `${readableBytes(plan.trainedState)} for ${plan.trained.toLocaleString("en")} trained values with gradient ` +
      "and moments",
    ...(plan.reference > 0 ? [`${readableBytes(plan.reference)} for the KL reference`] : []),
    `${readableBytes(needed - plan.frozenWeights - plan.trainedState - plan.reference)} to sample or update`,
  ];
  throw new InputError(
    `${policy} does not fit on ${limits.adapter}: the run needs at least ${readableBytes(needed)} ` +
      `(${parts.join(", ")}), ` +
      `${readableBytes(available)} are available; set lora.rank and packing f16 or int4` +
      `${recompute ? "" : ", set recompute to layers"}, or lower settings.microBatchRows, settings.maxNewTokens or ` +
      "settings.rollout.slots",
  );
}

async function memoryPlanOf(
  { policy }: PlanPart,
  files: CheckpointFiles,
  options: LoadOptions,
  settings: Settings,
  lengths: Pick<PlanOptions, "promptTokens" | "records">,
): Promise<MemoryPlan> {
  const config = await asInput(
    policy,
    files.read("config.json").then((bytes) => parseConfig(new TextDecoder().decode(bytes))),
  );
  const adapter = options.adapter ?? null;
  const lora = adapter === null ? (options.lora ?? null) : (await AdapterFile.open(adapter, config)).loraOptions();
  const planOptions: PlanOptions = {
    trainable: lora === null ? (options.trainable ?? "all") : "none",
    lora,
    ...(options.frozenFormat === undefined ? {} : { frozenFormat: options.frozenFormat }),
    groupSize: settings.grpo.groupSize,
    prompts: settings.grpo.prompts,
    slots: settings.rollout.slots,
    cache: settings.rollout.cache,
    ...lengths,
    imageTokens: 0,
    completionTokens: settings.maxNewTokens,
    microBatch: settings.microBatchRows,
    kl: settings.grpo.beta > 0,
  };
  return planMemory(config, planOptions);
}
