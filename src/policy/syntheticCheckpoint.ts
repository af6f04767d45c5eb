/**
 * A random checkpoint of any member of the family, to try out a machine before a download: the right names, shapes and
 * number format, with meaningless weights. Matrices and biases are normal with the family's standard deviation 0.02
 * (biases too, so that swapped ones are noticed), norm weights 1. Values come from a table of 65,536 normal draws,
 * selected by counter-based bits: an element depends on (seed, tensor, index) only, whatever the shard or piece size.
 *
 * The tokenizer is byte-level with no merges: any text becomes its UTF-8 bytes (ids 0…255), and every other id of the
 * vocabulary is a made-up word, so that whatever a random policy samples can be decoded. Special tokens have the ids
 * of the published vocabulary.
 */

import { toF16 } from "../tensor/packedWeight";
import { randomBits } from "../tensor/random";
import { expectedTensors } from "./checkpoint/checkpointNames";
import { parseConfig } from "./checkpoint/config";
import { toBfloat16 } from "./checkpoint/safetensorsValues";
import type { TensorPlan } from "./checkpoint/safetensorsWriter";
import { firstSpecialId, type ShapeName, SPECIAL_TOKENS, shapeConfig } from "./checkpoint/shapes";
import { normalValues } from "./create";
import { parsePreprocessorConfig, preprocessorConfigJson } from "./processor/imageProcessor";

export type SyntheticDtype = "bf16" | "f16" | "f32";
const TORCH = { bf16: "bfloat16", f16: "float16", f32: "float32" } as const;
const SAFETENSORS = { bf16: "BF16", f16: "F16", f32: "F32" } as const;

const STANDARD_DEVIATION = 0.02;
const TABLE = 65536;
/** Elements made at a time. */
const PIECE = 4 * 2 ** 20;

/** All tensors of a shape in the order of the model. */
export function syntheticTensors(shape: ShapeName, dtype: SyntheticDtype): TensorPlan[] {
  const config = parseConfig(shapeConfig(shape, TORCH[dtype]));
  return [...expectedTensors(config)].map(([name, size]) => ({ name, shape: size, dtype: SAFETENSORS[dtype] }));
}

/** Bytes of the tensors' values, tensor by tensor. */
export class SyntheticValues {
  private readonly draws: Uint16Array | Uint32Array;
  private readonly one: number;
  private readonly streams: ReadonlyMap<string, number>;

  constructor(
    private readonly seed: number,
    private readonly dtype: SyntheticDtype,
    tensors: readonly TensorPlan[],
  ) {
    const encoded = (values: Float32Array): Uint16Array | Uint32Array => {
      switch (dtype) {
        case "bf16":
          return new Uint16Array(toBfloat16(values).buffer);
        case "f16":
          return Uint16Array.from(values, toF16);
        case "f32":
          return new Uint32Array(values.buffer);
        default:
          return dtype satisfies never;
      }
    };
    this.draws = encoded(normalValues(TABLE, seed, 0, STANDARD_DEVIATION));
    this.one = encoded(Float32Array.of(1))[0] ?? 0;
    this.streams = new Map(tensors.map(({ name }, i) => [name, i + 1]));
  }

  /** The tensor's values as stored on disk, in pieces; each piece overwrites the last. */
  *pieces({ name, shape }: TensorPlan): Generator<Uint8Array> {
    const count = shape.reduce((product, n) => product * n, 1);
    const stream = this.streams.get(name) ?? 0;
    const isNorm = /norm\d?\.weight$|layernorm\.weight$|ln_q\.weight$/.test(name);
    const piece =
      this.dtype === "f32" ? new Uint32Array(Math.min(PIECE, count)) : new Uint16Array(Math.min(PIECE, count));
    for (let first = 0; first < count; first += PIECE) {
      const length = Math.min(PIECE, count - first);
      if (isNorm) piece.fill(this.one);
      else this.draw(piece, length, stream, first);
      yield new Uint8Array(piece.buffer, 0, length * piece.BYTES_PER_ELEMENT);
    }
  }

  /** 32 random bits choose two table entries. `first` is even. */
  private draw(into: Uint16Array | Uint32Array, length: number, stream: number, first: number): void {
    const { draws, seed } = this;
    for (let i = 0; i < length; i += 2) {
      const bits = randomBits(seed, stream, 0, (first + i) / 2);
      into[i] = draws[bits & 0xffff] ?? 0;
      if (i + 1 < length) into[i + 1] = draws[bits >>> 16] ?? 0;
    }
  }
}

const CHAT_TEMPLATE = [
  "{% for message in messages %}",
  "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful " +
    "assistant.<|im_end|>\n{% endif %}",
  "<|im_start|>{{ message['role'] }}\n",
  "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}",
  "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif part['type'] == 'text' " +
    "%}{{ part['text'] }}{% endif %}",
  "{% endfor %}{% endif %}<|im_end|>\n",
  "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
].join("");

/** The character that stands for each byte in a byte-level vocabulary (GPT-2's table). */
function byteCharacters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

/** A word of at least two letters for an id that is not a byte, different from every other's. */
function madeUpWord(id: number): string {
  let word = "";
  for (let rest = id; rest > 0 || word.length < 2; rest = Math.floor(rest / 26))
    word = String.fromCharCode(97 + (rest % 26)) + word;
  return `Ġ${word}`;
}

function tokenizerFiles(vocabulary: number, special: number): Record<string, unknown> {
  const bytes = byteCharacters();
  const isSpecial = (id: number): boolean => id >= special && id < special + SPECIAL_TOKENS.length;
  const ids = Array.from({ length: vocabulary }, (_, id) => id).filter((id) => !isSpecial(id));
  const added = SPECIAL_TOKENS.map((content, i) => ({
    id: special + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      post_processor: null,
      decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        vocab: Object.fromEntries(ids.map((id) => [bytes[id] ?? madeUpWord(id), id])),
        merges: [],
      },
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      processor_class: "Qwen2_5_VLProcessor",
      eos_token: "<|im_end|>",
      pad_token: "<|endoftext|>",
      clean_up_tokenization_spaces: false,
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [String(id), token])),
    },
  };
}

/** Every file of the folder except the weights. */
export function syntheticFiles(shape: ShapeName, dtype: SyntheticDtype): Map<string, Uint8Array> {
  const configJson = shapeConfig(shape, TORCH[dtype]);
  const { text, vision } = parseConfig(configJson);
  const preprocessor = preprocessorConfigJson(
    parsePreprocessorConfig({
      patch_size: vision.patchSize,
      merge_size: vision.spatialMergeSize,
      temporal_patch_size: vision.temporalPatchSize,
      max_pixels: 12_845_056, // as published
    }),
  );
  const json = {
    "config.json": configJson,
    "preprocessor_config.json": preprocessor,
    ...tokenizerFiles(text.vocabSize, firstSpecialId(shape)),
  };
  const encode = (content: string): Uint8Array => new TextEncoder().encode(content);
  const files = Object.entries(json).map(([name, value]): [string, Uint8Array] => [
    name,
    encode(`${JSON.stringify(value, null, 1)}\n`),
  ]);
  return new Map([...files, ["chat_template.jinja", encode(CHAT_TEMPLATE)]]);
}
