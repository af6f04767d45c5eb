/** A command of the runner: its flags in citty's form (help is rendered from them) and what it does. */
import type { ArgsDef } from "citty";
import { BACKEND_NAMES } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import type { Arguments } from "./usage";

export interface RunnerCommand {
  readonly description: string;
  readonly flags: ArgsDef;
  /** → exit code */
  run(args: Arguments): Promise<number>;
}

/** Flags that several commands share. */
export const backendFlag = {
  type: "string",
  default: "wasm",
  valueHint: BACKEND_NAMES.join("|"),
  description: "Where the policy lives",
} as const;
export const seedFlag = { type: "string", valueHint: "n", description: "Seed of all randomness" } as const;
export const setFlag = {
  type: "string",
  valueHint: "path=value",
  description: "A setting, e.g. grpo.learningRate=1e-4; may be repeated. Also --reward.x v, --sft.x v, --grpo.x v",
} as const;
export const policyFlag = {
  type: "string",
  default: "public/policies/base",
  valueHint: "dir",
  description: "Policy folder (Hugging Face layout)",
} as const;
export const workersFlag = {
  type: "string",
  default: "1",
  valueHint: "n",
  description:
    "Threads that compute, each with a copy of the policy (wasm backend only); the same result with any number from 2 on",
} as const;
export const packingFlag = {
  type: "string",
  default: "f32",
  valueHint: WEIGHT_FORMATS.join("|"),
  description: "Storage of frozen weights; int4 keeps table, head and tower in f16",
} as const;
export const adapterFlag = {
  type: "string",
  valueHint: "dir",
  description: "Trained LoRA adapter (PEFT layout) on the policy",
} as const;
export const imagesFlag = {
  type: "string",
  valueHint: "dir",
  description: "What image paths are relative to; by default the folder of --data",
} as const;
export const maxPixelsFlag = {
  type: "string",
  valueHint: "n",
  description: "Pictures are scaled down to at most so many pixels; by default as preprocessor_config.json says",
} as const;
/** A data set in place of the built-in problems. */
export const dataFlags = {
  data: {
    type: "string",
    valueHint: "file",
    description: "Your own problems: JSON lines or parquet of {image(s), question, answer}",
  },
  images: imagesFlag,
  maxPixels: maxPixelsFlag,
  instruction: {
    type: "string",
    valueHint: "file",
    description: "Text below each question of --data, in place of ours, which asks for the response format",
  },
} as const;
