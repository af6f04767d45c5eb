import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseConfig } from "./config";

const goldenText = (name: string) => readFileSync(new URL(`../golden/${name}/config.json`, import.meta.url), "utf8");

/** The published 7B checkpoint's layout: flat, vision keys with their older names. */
const FLAT = {
  model_type: "qwen2_5_vl",
  hidden_size: 3584,
  intermediate_size: 18944,
  num_attention_heads: 28,
  num_hidden_layers: 28,
  num_key_value_heads: 4,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
  sliding_window: 32768,
  use_sliding_window: false,
  tie_word_embeddings: false,
  vocab_size: 152064,
  eos_token_id: 151645,
  image_token_id: 151655,
  vision_config: {
    depth: 32,
    hidden_act: "silu",
    hidden_size: 1280,
    intermediate_size: 3420,
    num_heads: 16,
    in_chans: 3,
    out_hidden_size: 3584,
    patch_size: 14,
    spatial_merge_size: 2,
    spatial_patch_size: 14,
    window_size: 112,
    fullatt_block_indexes: [7, 15, 23, 31],
    temporal_patch_size: 2,
  },
};

test("the nested layout of newer checkpoints", () => {
  const { text, vision, imageTokenId } = parseConfig(goldenText("tiny_tied"));
  expect(text).toMatchObject({
    vocabSize: 96,
    hiddenSize: 64,
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 16,
    ropeTheta: 10000,
    mropeSection: [2, 3, 3],
    tieWordEmbeddings: true,
    eosTokenIds: [151645],
  });
  expect(vision).toMatchObject({ depth: 3, patchSize: 4, windowSize: 16, fullAttentionBlocks: [1], headDim: 16 });
  expect(imageTokenId).toBe(5);
});

test("the flat layout of older checkpoints gives the same shape of configuration", () => {
  const { text, vision } = parseConfig(FLAT);
  expect(text).toMatchObject({
    layers: 28,
    heads: 28,
    kvHeads: 4,
    headDim: 128,
    ropeTheta: 1e6,
    mropeSection: [16, 24, 24],
    tieWordEmbeddings: false,
  });
  expect(vision).toMatchObject({
    depth: 32,
    hiddenSize: 1280,
    headDim: 80,
    inChannels: 3,
    outHiddenSize: 3584,
    rmsNormEps: 1e-6,
  });
});

test("what is left out is as in transformers", () => {
  const { text, vision, videoTokenId } = parseConfig({
    model_type: "qwen2_5_vl",
    vision_config: { out_hidden_size: 8192 },
  });
  expect(text).toMatchObject({
    vocabSize: 152064,
    hiddenSize: 8192,
    layers: 80,
    heads: 64,
    kvHeads: 8,
    rmsNormEps: 1e-5,
    ropeTheta: 1e6,
    mropeSection: [16, 24, 24],
  });
  expect(vision).toMatchObject({ depth: 32, patchSize: 14, windowSize: 112, fullAttentionBlocks: [7, 15, 23, 31] });
  expect(videoTokenId).toBe(151656);
  expect(parseConfig({ ...FLAT, num_key_value_heads: null }).text.kvHeads).toBe(28);
  expect(
    parseConfig({ ...FLAT, vision_config: { ...FLAT.vision_config, depth: 9 } }).vision.fullAttentionBlocks,
  ).toEqual([7]);
});

const broken: [string, unknown, RegExp][] = [
  ["another model", { ...FLAT, model_type: "llama" }, /config\.json: model_type: .*qwen2_5_vl/],
  [
    "a size of the wrong type",
    { ...FLAT, hidden_size: "big", vocab_size: -1 },
    /hidden_size: .*number.*; |vocab_size: /,
  ],
  [
    "a nested key",
    { model_type: "qwen2_5_vl", text_config: { hidden_size: 0 } },
    /config\.json: text_config\.hidden_size: /,
  ],
  ["a vision key", { ...FLAT, vision_config: { ...FLAT.vision_config, depth: 1.5 } }, /vision_config\.depth: /],
  [
    "heads that do not divide",
    { ...FLAT, num_key_value_heads: 5 },
    /num_attention_heads is 28, expected a multiple of num_key_value_heads 5/,
  ],
  [
    "a section that does not add up",
    { ...FLAT, rope_scaling: { type: "mrope", mrope_section: [1, 2, 3] } },
    /rope_scaling\.mrope_section is \[1, 2, 3\], expected three numbers that add up to 64/,
  ],
  ["YaRN", { ...FLAT, rope_scaling: { type: "yarn", factor: 4 } }, /rope_scaling\.type is "yarn": YaRN changes/],
  [
    "YaRN beside the older key",
    { ...FLAT, rope_scaling: { type: "mrope", rope_type: "yarn" } },
    /rope_scaling\.rope_type is "yarn": YaRN/,
  ],
  ["linear scaling", { ...FLAT, rope_scaling: { type: "linear" } }, /type is "linear": linear scaling changes/],
  ["another family", { ...FLAT, model_type: "qwen3_vl" }, /model_type: is "qwen3_vl"; expected "qwen2_5_vl"/],
  [
    "AWQ",
    { ...FLAT, quantization_config: { quant_method: "awq", bits: 4 } },
    /quantization_config: the checkpoint is quantised by awq, 4 bits\. Weights are read as F32, F16 or BF16/,
  ],
  [
    "bitsandbytes",
    { ...FLAT, quantization_config: { quant_method: "bitsandbytes", load_in_8bit: true } },
    /quantised by bitsandbytes, 8 bits/,
  ],
  ["a nameless method", { ...FLAT, quantization_config: 4 }, /quantised by a method that it does not name/],
  [
    "a window that cuts cells",
    { ...FLAT, vision_config: { ...FLAT.vision_config, window_size: 100 } },
    /vision_config\.window_size is 100, expected a multiple of .* 28/,
  ],
  [
    "towers that do not meet",
    { ...FLAT, hidden_size: 28 * 64, rope_scaling: { mrope_section: [8, 12, 12] } },
    /vision_config\.out_hidden_size is 3584, expected the text hidden_size 1792/,
  ],
  [
    "an image token outside the vocabulary",
    { ...FLAT, image_token_id: 999999 },
    /image_token_id is 999999, expected an id below vocab_size 152064/,
  ],
  ["something that is no object", [1, 2], /config\.json: \(top level\): /],
];
for (const [name, config, message] of broken) {
  test(`refuses ${name}, naming the key`, () => expect(() => parseConfig(JSON.stringify(config))).toThrow(message));
}

test("refuses broken JSON, naming the file", () => {
  expect(() => parseConfig("{", "models/x/config.json")).toThrow("models/x/config.json: not valid JSON");
});
