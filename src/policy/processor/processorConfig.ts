/**
 * Where a folder says how pictures are prepared, in transformers' order: the section `image_processor` of
 * processor_config.json (all that transformers 5 writes), else preprocessor_config.json (the published folders).
 *
 * Departs from transformers where there is neither: it refuses the folder, here the class's defaults hold, with the
 * patch sizes of config.json.
 */
import { z } from "zod";
import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import type { VisionConfig } from "../checkpoint/config";
import { ConfigError, parseJson, parseWith } from "../checkpoint/configJson";
import { type ImageProcessorConfig, parsePreprocessorConfig } from "./imageProcessor";

export const PROCESSOR_FILE = "processor_config.json";
const PREPROCESSOR_FILE = "preprocessor_config.json";
const SECTION = "image_processor";

const processorSchema = z.looseObject({ [SECTION]: z.record(z.string(), z.unknown()).nullish() });

/** @throws ConfigError naming file and key, also where it does not fit config.json's tower */
export async function openProcessorConfig(files: CheckpointFiles, vision: VisionConfig): Promise<ImageProcessorConfig> {
  const { processor, where } = await found(files, vision);
  for (const [key, theirs, ours] of [
    ["patch_size", processor.patchSize, vision.patchSize],
    ["merge_size", processor.mergeSize, vision.spatialMergeSize],
    ["temporal_patch_size", processor.temporalPatchSize, vision.temporalPatchSize],
  ] as const) {
    if (theirs !== ours)
      throw new ConfigError(`${where}${key} is ${theirs}, but config.json's vision_config says ${ours}.`);
  }
  return processor;
}

async function found(
  files: CheckpointFiles,
  { patchSize, spatialMergeSize, temporalPatchSize }: VisionConfig,
): Promise<{ readonly processor: ImageProcessorConfig; readonly where: string }> {
  const present = files.list();
  if (present.includes(PROCESSOR_FILE)) {
    const json = parseJson(await files.read(PROCESSOR_FILE), PROCESSOR_FILE);
    const section = parseWith(processorSchema, json, PROCESSOR_FILE, "")[SECTION];
    if (section != null)
      return {
        processor: parsePreprocessorConfig(section, PROCESSOR_FILE, SECTION),
        where: `${PROCESSOR_FILE}: ${SECTION}.`,
      };
  }
  if (present.includes(PREPROCESSOR_FILE))
    return {
      processor: parsePreprocessorConfig(await files.read(PREPROCESSOR_FILE)),
      where: `${PREPROCESSOR_FILE}: `,
    };
  return {
    processor: parsePreprocessorConfig({
      patch_size: patchSize,
      merge_size: spatialMergeSize,
      temporal_patch_size: temporalPatchSize,
    }),
    where: "",
  };
}
