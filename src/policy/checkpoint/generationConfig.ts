/**
 * config.json together with generation_config.json, which may name more end tokens (the hub's Qwen2.5-VL lists
 * `<|im_end|>` and `<|endoftext|>` there, config.json only the first) and the token that pads finished rows.
 *
 * Departs from transformers, where the list of generation_config.json replaces that of config.json: here a response
 * ends at a token of either. Its other keys are sampling defaults, which a run's settings decide.
 */
import { z } from "zod";
import type { CheckpointFiles } from "./checkpointFiles";
import { endTokens, endTokensSchema, type PolicyConfig, parseConfig } from "./config";
import { parseJson, parseWith } from "./configJson";

export const GENERATION_FILE = "generation_config.json";

const generationSchema = z.looseObject({
  eos_token_id: endTokensSchema,
  pad_token_id: z.int().nonnegative().nullish(),
});

/**
 * The configuration of a folder, and config.json as it stands.
 * @throws ConfigError naming the file and key that is wrong, CheckpointError when config.json cannot be read
 */
export async function openConfig(
  files: CheckpointFiles,
): Promise<{ readonly config: PolicyConfig; readonly configText: string }> {
  const configText = new TextDecoder().decode(await files.read("config.json"));
  const config = parseConfig(configText);
  if (!files.list().includes(GENERATION_FILE)) return { config, configText };
  const generation = parseWith(
    generationSchema,
    parseJson(await files.read(GENERATION_FILE), GENERATION_FILE),
    GENERATION_FILE,
    "",
  );
  return {
    config: {
      ...config,
      text: {
        ...config.text,
        eosTokenIds: endTokens(generation.eos_token_id, [...config.text.eosTokenIds]),
        samplingPadTokenId: generation.pad_token_id ?? config.text.padTokenId,
      },
    },
    configText,
  };
}

/** The configuration with one more end token, at the end of the list if it is not in it. */
export function withEndToken(config: PolicyConfig, token: number | null): PolicyConfig {
  if (token === null) return config;
  return { ...config, text: { ...config.text, eosTokenIds: endTokens([...config.text.eosTokenIds], token) } };
}
