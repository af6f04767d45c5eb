/**
 * Writing the nano policy's tokenizer: a WordLevel vocabulary over white-space words, the family's special tokens, and
 * a short chat template, as files that transformers' AutoTokenizer and AutoProcessor open too. A prompt is
 * `<|vision_start|><|image_pad|><|vision_end|>question<|im_start|>`, an answer ends with `<|im_end|>`.
 */
import { TokenizerError } from "./tokenizer";

/** Special tokens in the order of their ids, from 0 on. */
export const NANO_SPECIAL_TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|image_pad|>",
  "<|video_pad|>",
] as const;
export type NanoSpecialToken = (typeof NANO_SPECIAL_TOKENS)[number];

/** Stands for words outside the vocabulary. */
export const NANO_UNKNOWN = "<unk>";

/** Id of a special token; words follow after the special tokens and `<unk>`. */
export function nanoSpecialId(token: NanoSpecialToken): number {
  return NANO_SPECIAL_TOKENS.indexOf(token);
}

/** Special tokens, `<unk>` and words together. */
export function nanoVocabSize(words: readonly string[]): number {
  return NANO_SPECIAL_TOKENS.length + 1 + words.length;
}

/**
 * Each message in turn; an assistant's turn is put between `<|im_start|>` and `<|im_end|>`; system lines are dropped.
 */
export const NANO_CHAT_TEMPLATE = [
  "{% for message in messages %}{% if message['role'] != 'system' %}",
  "{% if message['role'] == 'assistant' %}<|im_start|>{% endif %}",
  "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}",
  "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif part['type'] == 'text' " +
    "%}{{ part['text'] }}{% endif %}",
  "{% endfor %}{% endif %}",
  "{% if message['role'] == 'assistant' %}<|im_end|>{% endif %}",
  "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}",
].join("");

/** The file names and JSON values, before they become bytes. */
function contents(words: readonly string[]): Record<string, unknown> {
  const tokens = [...NANO_SPECIAL_TOKENS, NANO_UNKNOWN, ...words];
  const added = NANO_SPECIAL_TOKENS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  const special = { eos_token: "<|im_end|>", pad_token: "<|endoftext|>", unk_token: NANO_UNKNOWN };
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: { type: "WhitespaceSplit" },
      post_processor: null,
      decoder: null,
      model: {
        type: "WordLevel",
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        unk_token: NANO_UNKNOWN,
      },
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      processor_class: "Qwen2_5_VLProcessor",
      ...special,
      model_max_length: 512,
      clean_up_tokenization_spaces: false,
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [String(id), token])),
    },
    "special_tokens_map.json": {
      ...special,
      additional_special_tokens: NANO_SPECIAL_TOKENS.filter(
        (token) => token !== special.eos_token && token !== special.pad_token,
      ),
    },
  };
}

/**
 * The tokenizer's files for a vocabulary of words.
 * @throws TokenizerError when a word is empty, holds white space, repeats, or is a special token
 */
export function nanoTokenizerFiles(words: readonly string[]): Map<string, Uint8Array> {
  const seen = new Set<string>([...NANO_SPECIAL_TOKENS, NANO_UNKNOWN]);
  for (const word of words) {
    if (!/^\S+$/.test(word))
      throw new TokenizerError(
        `The word ${JSON.stringify(word)} is empty or holds white space; every word must be one token.`,
      );
    if (NANO_SPECIAL_TOKENS.some((token) => word.includes(token)))
      throw new TokenizerError(`The word ${word} holds a special token.`);
    if (seen.has(word)) throw new TokenizerError(`The word ${word} appears twice in the vocabulary.`);
    seen.add(word);
  }
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const files = Object.entries(contents(words)).map(([name, value]): [string, Uint8Array] => [
    name,
    encode(`${JSON.stringify(value, null, 2)}\n`),
  ]);
  return new Map([...files, ["chat_template.jinja", encode(NANO_CHAT_TEMPLATE)]]);
}
