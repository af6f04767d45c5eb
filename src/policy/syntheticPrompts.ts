/** Made-up nano models, pictures and prompts for tests: no tokenizer, ids chosen by hand. */
import type { Home } from "../tensor/home";
import { parseConfig } from "./config";
import { initialise, nanoConfig } from "./create";
import { VisionLanguageModel, type ModelOptions } from "./model";
import type { EncodedPrompt } from "./packing";

export const END = 1;
const IMAGE = 4;

/** A randomly initialised nano model with a vocabulary of 48. */
export function nanoModel(home: Home, options: ModelOptions = { trainable: "all" }, seed = 0, std = 0.02): VisionLanguageModel {
  const tokens = { vocabSize: 48, imageToken: IMAGE, videoToken: 5, visionStart: 2, visionEnd: 3, endOfText: 0, endOfTurn: END };
  const model = new VisionLanguageModel(home, parseConfig(nanoConfig(tokens)), options);
  initialise(model.parameters, seed, std);
  return model;
}

/** A 32×32 picture (8×8 patches) whose every pixel is a wave of its own phase, followed by `words`. */
export function prompt(model: VisionLanguageModel, phase: number, words: readonly number[]): EncodedPrompt {
  const patches = Float32Array.from({ length: 64 * 96 }, (_, i) => Math.sin(phase + 0.37 * i + phase * 0.011 * i));
  return model.encode(Int32Array.from([2, ...Array.from({ length: 16 }, () => IMAGE), 3, ...words]), [{ patches, grid: { frames: 1, height: 8, width: 8 } }]);
}
