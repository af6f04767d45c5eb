/**
 * A very small policy for tests and dry runs: the nano policy's words, a tower of one layer and a decoder of two, 32
 * wide; random, or taught for a moment to write first solutions in the format.
 */
import { InMemoryFiles } from "../../policy/checkpoint/checkpointFiles";
import { nanoConfig } from "../../policy/create";
import { Policy } from "../../policy/policy";
import { nanoSpecialId, nanoTokenizerFiles, nanoVocabSize } from "../../policy/processor/tokenizerNano";
import { corpusExample } from "../../tasks/corpus";
import { VOCABULARY } from "../../tasks/vocabulary";
import type { Backend } from "../../tensor/backend";
import { encodeProblem } from "../rollout";
import { responseTokens } from "../transcript";
import { sftUpdate } from "../update";

const WORDS = ["<think>", "</think>", "<answer>", "</answer>", "<reflection>", "</reflection>", ...VOCABULARY];

/** The folder without weights. */
export function tinyFolder(): InMemoryFiles {
  const config = nanoConfig({
    vocabSize: nanoVocabSize(WORDS),
    imageToken: nanoSpecialId("<|image_pad|>"),
    videoToken: nanoSpecialId("<|video_pad|>"),
    visionStart: nanoSpecialId("<|vision_start|>"),
    visionEnd: nanoSpecialId("<|vision_end|>"),
    endOfText: nanoSpecialId("<|endoftext|>"),
    endOfTurn: nanoSpecialId("<|im_end|>"),
  });
  const tiny = {
    ...config,
    text_config: {
      ...section(config.text_config),
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      rope_parameters: { rope_type: "default", rope_theta: 10000, mrope_section: [2, 3, 3] },
    },
    vision_config: {
      ...section(config.vision_config),
      depth: 1,
      hidden_size: 32,
      intermediate_size: 48,
      num_heads: 2,
      out_hidden_size: 32,
      fullatt_block_indexes: [0],
    },
  };
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return new InMemoryFiles(
    new Map([
      ...nanoTokenizerFiles(WORDS),
      ["config.json", json(tiny)],
      [
        "preprocessor_config.json",
        json({ min_pixels: 64, max_pixels: 4096, patch_size: 4, merge_size: 2, temporal_patch_size: 2 }),
      ],
    ]),
  );
}

export function tinyPolicy(backend: Backend, trainable: "all" | "language" = "language", seed = 0): Promise<Policy> {
  return Policy.create(backend, tinyFolder(), { seed, trainable });
}

/** Teach the format on the clean corpus: after about 60 steps of 16 nearly every response has a readable answer. */
export async function teachFormat(policy: Policy, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const examples = Array.from({ length: 16 }, (_, i) => {
      const { problem, response } = corpusExample("clean", 0, 16 * step + i);
      return { prompt: encodeProblem(policy, problem), tokens: responseTokens(policy, response) };
    });
    const tokens = examples.reduce((sum, example) => sum + example.tokens.length, 0);
    await sftUpdate(
      policy,
      examples.map((example) => ({ ...example, weight: 1 / tokens, advantage: 1 })),
      {
        temperature: 1,
        trainVision: false,
        features: null,
        learningRate: 5e-3,
        weightDecay: 0,
        maxGradNorm: 1,
        microBatchRows: 16,
        updates: step,
      },
    );
  }
}

function section(value: unknown): object {
  if (typeof value !== "object" || value === null) throw new Error("nanoConfig: expected its sections to be objects");
  return value;
}
