/**
 * Upper bounds of the settings that multiply memory, and of their products: the one place that says what a run may ask
 * for. They leave room for every published recipe (DAPO: 512 prompts × 16 responses × 20,480 tokens) and stop a slip of
 * the keyboard, or a link, from taking all memory. The schema of the settings (settings.ts) applies them wherever
 * settings come from.
 */
export const BOUNDS = {
  steps: 1_000_000,
  prompts: 4096,
  groupSize: 1024,
  maxNewTokens: 131_072,
  microBatchRows: 4096,
  /** Of the reflection data set. */
  examples: 100_000,
  batchSize: 4096,
  slots: 65_536,
  stopStrings: 64,
  stopStringLength: 256,
  loraRank: 4096,
  /** Of one image: four times what transformers allows Qwen2.5-VL by default. */
  maxPixels: 51_380_224,
  workers: 256,
  /** Problems of an evaluation. */
  heldOut: 1_000_000,
} as const;

/** Bounds of products of settings. */
export interface Limits {
  /** Tokens that a GRPO step samples, or an SFT step trains on. */
  readonly stepTokens: number;
  /** Responses that a buffer holds (replay, failures). */
  readonly bufferRows: number;
  /** Tokens that a buffer holds. */
  readonly bufferTokens: number;
}

/** Of every run. A sampled token takes about 24 bytes of the host's memory. */
export const RUN_LIMITS: Limits = { stepTokens: 2 ** 28, bufferRows: 2 ** 20, bufferTokens: 2 ** 26 };
/** Of a run in a browser tab, which shows every response of a step. All that the controls offer lies below. */
export const PAGE_LIMITS: Limits = { stepTokens: 2 ** 20, bufferRows: 2 ** 17, bufferTokens: 2 ** 22 };

/** What is measured of the settings. */
interface Measured {
  readonly maxNewTokens: number;
  readonly sft: { readonly batchSize: number };
  readonly grpo: {
    readonly prompts: number;
    readonly groupSize: number;
    readonly stages: readonly { readonly groupSize: number; readonly maxNewTokens: number }[];
    readonly rethinking: { readonly perGroup: number; readonly maxTokens: number } | null;
    readonly replay: { readonly episode: number } | null;
    readonly failures: { readonly capacity: number } | null;
  };
}

/** The first product that is above its limit, in words; null where all are below. */
export function overLimits(settings: Measured, limits: Limits): string | null {
  const { maxNewTokens, sft, grpo } = settings;
  const { prompts, groupSize, stages, rethinking, replay, failures } = grpo;
  const tokens = "maxNewTokens";
  const step = (what: string, ...factors: readonly Factor[]): string | null =>
    above(what, factors, limits.stepTokens, "tokens in a step");
  const buffer = (what: string, rows: readonly Factor[]): string | null =>
    above(what, rows, limits.bufferRows, "responses") ??
    above(what, [...rows, [tokens, maxNewTokens]], limits.bufferTokens, "tokens");
  const longest = Math.max(groupSize, ...stages.map((stage) => stage.groupSize));
  return (
    step("a GRPO step", ["grpo.prompts", prompts], ["grpo.groupSize", groupSize], [tokens, maxNewTokens]) ??
    first(stages, (stage, i) =>
      step(
        `a GRPO step of stage ${i + 1}`,
        ["grpo.prompts", prompts],
        [`grpo.stages.${i}.groupSize`, stage.groupSize],
        [`grpo.stages.${i}.maxNewTokens`, stage.maxNewTokens],
      ),
    ) ??
    step("an SFT step", ["sft.batchSize", sft.batchSize], [tokens, maxNewTokens]) ??
    (rethinking === null
      ? null
      : step(
          "forced rethinking",
          ["grpo.prompts", prompts],
          ["grpo.rethinking.perGroup", rethinking.perGroup],
          ["grpo.rethinking.maxTokens", rethinking.maxTokens],
        )) ??
    (replay === null
      ? null
      : buffer("the replay buffer", [
          ["grpo.replay.episode", replay.episode],
          ["grpo.prompts", prompts],
          ["grpo.groupSize", longest],
        ])) ??
    (failures === null ? null : buffer("the failure buffer", [["grpo.failures.capacity", failures.capacity]]))
  );
}

type Factor = readonly [name: string, value: number];

function above(what: string, factors: readonly Factor[], most: number, unit: string): string | null {
  const product = factors.reduce((total, [, value]) => total * value, 1);
  if (product <= most) return null;
  const [names, values] = [factors.map(([name]) => name), factors.map(([, value]) => grouped(value))];
  return (
    `${what} would hold ${names.join(" × ")} = ${values.join(" × ")} = ${grouped(product)} ${unit}; expected at most ` +
    `${grouped(most)}: lower one of them`
  );
}

function first<T>(list: readonly T[], found: (each: T, index: number) => string | null): string | null {
  for (const [index, each] of list.entries()) {
    const said = found(each, index);
    if (said !== null) return said;
  }
  return null;
}

const grouped = (value: number): string => value.toLocaleString("en-US");
