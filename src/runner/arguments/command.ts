/** A command of the runner: its flags, from which its help is printed, and what it does. */
import { RECIPE_NAMES } from "../../srpo/recipe";
import { BACKEND_NAMES } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import { DEFAULT_ON_ERROR, ON_ERROR } from "../data/recordFaults";
import type { Flags } from "./flags";
import type { Arguments } from "./usage";

export interface RunnerCommand {
  readonly description: string;
  readonly flags: Flags;
  /** Command lines for the help, ready to copy. */
  readonly examples: readonly string[];
  /** → exit code */
  run(args: Arguments): Promise<number>;
}

/** Flags that several commands share. */
export const backendFlag = {
  type: "string",
  default: "wasm",
  valueHint: BACKEND_NAMES.join("|"),
  description: "Where the policy runs: GPU, CPU, or plain JavaScript",
} as const;
export const seedFlag = { type: "string", valueHint: "n", description: "Seed of every random draw" } as const;
export const setFlag = {
  type: "string",
  valueHint: "path=value",
  description: "Change a setting, e.g. grpo.learningRate=1e-4; repeatable. Short: --grpo.learningRate 1e-4",
} as const;
export const rewardFlag = {
  type: "string",
  valueHint: "my-reward.ts",
  description: "File of reward terms of your own (docs/reward-language.md); its code runs with your rights",
} as const;
export const policyFlag = {
  type: "string",
  default: "public/policies/base",
  valueHint: "dir",
  description: "Policy folder (Hugging Face layout)",
} as const;
/** Its default is that of the run file, or srpo. */
export const recipeFlag = {
  type: "string",
  valueHint: RECIPE_NAMES.join("|"),
  description: "Method that sets reward and objective, over a run file (default: srpo)",
} as const;
export const workersFlag = {
  type: "string",
  default: "1",
  valueHint: "n",
  description: "Threads, each with a copy of the policy (wasm backend); any number above 1 gives the same result",
} as const;
export const packingFlag = {
  type: "string",
  default: "f32",
  valueHint: WEIGHT_FORMATS.join("|"),
  description: "Storage of frozen weights; int4 keeps embeddings, head and vision tower in f16",
} as const;
export const adapterFlag = {
  type: "string",
  valueHint: "dir",
  description: "LoRA adapter trained on the policy (PEFT layout)",
} as const;
export const allowNonFiniteFlag = {
  type: "boolean",
  description: "Load weights that are NaN or infinite instead of refusing the file",
} as const;
export const imagesFlag = {
  type: "string",
  valueHint: "dir",
  description: "Folder that image paths are relative to (default: the folder of --data)",
} as const;
export const maxPixelsFlag = {
  type: "string",
  valueHint: "n",
  description: "Maximum number of pixels; larger images are scaled down (default: preprocessor_config.json)",
} as const;
export const onErrorFlag = {
  type: "string",
  valueHint: ON_ERROR.join("|"),
  description: `What happens with a record that cannot be used (default: ${DEFAULT_ON_ERROR})`,
} as const;
/** A data set instead of the built-in problems. */
export const dataFlags = {
  data: {
    type: "string",
    valueHint: "file",
    description: "Your own problems: JSON Lines or Parquet with image(s), question, answer",
  },
  images: imagesFlag,
  maxPixels: maxPixelsFlag,
  instruction: {
    type: "string",
    valueHint: "file",
    description: "Text added below each question of --data (default: asks for the response format)",
  },
  onError: onErrorFlag,
} as const;
/** A policy and the problems it answers: `eval` and `sample`. */
export const answeringFlags = {
  policy: policyFlag,
  adapter: adapterFlag,
  allowNonFinite: allowNonFiniteFlag,
  ...dataFlags,
} as const;
/** How the answers are drawn, and on what: `eval` and `sample`. */
export const samplingFlags = {
  greedy: { type: "boolean", description: "Take the most likely token instead of sampling" },
  seed: seedFlag,
  packing: packingFlag,
  backend: backendFlag,
  set: setFlag,
} as const;
