import { expect, test } from "vitest";
import { InMemoryFiles } from "../checkpoint/checkpointFiles";
import { ChatTemplate, expandImageTokens } from "./chatTemplate";
import { PolicyTokenizer } from "./tokenizer";
import { nanoSpecialId, nanoTokenizerFiles, nanoVocabSize } from "./tokenizerNano";

const WORDS = ["A", "C", "+", "=", "-3", "70", "8", "?", ";", "<think>", "</think>", "<answer>", "</answer>"];
const files = new InMemoryFiles(nanoTokenizerFiles(WORDS));
const tokenizer = await PolicyTokenizer.open(files);
const template = await ChatTemplate.open(files);
const bytes = (text: string) => new TextEncoder().encode(text);

test("one word is one token, numbers and tags included, and decoding gives single spaces", () => {
  const text = "<think> A = -3 ; C = 70 </think> <answer> 8 </answer>";
  const ids = tokenizer.encode(text);
  expect(ids.length).toBe(text.split(" ").length);
  expect(tokenizer.decode(ids)).toBe(text);
  expect([...tokenizer.encode("  A\n\tC  ")]).toEqual([8, 9]);
});

test("special tokens come first and are recognised without spaces around them", () => {
  expect([...tokenizer.encode("<|im_start|>8<|im_end|>")]).toEqual([
    nanoSpecialId("<|im_start|>"),
    tokenizer.tokenId("8"),
    nanoSpecialId("<|im_end|>"),
  ]);
  expect(tokenizer.eosTokenId).toBe(nanoSpecialId("<|im_end|>"));
  expect(tokenizer.padTokenId).toBe(nanoSpecialId("<|endoftext|>"));
  expect(tokenizer.vocabSize).toBe(nanoVocabSize(WORDS));
  expect(tokenizer.decode(tokenizer.encode("<answer> 8 </answer><|im_end|>"), { skipSpecial: true })).toBe(
    "<answer> 8 </answer>",
  );
  expect(tokenizer.isSpecial(nanoSpecialId("<|image_pad|>"))).toBe(true);
});

test("unknown words are refused by name, or replaced if asked", () => {
  expect(() => tokenizer.encode("A + banana ?")).toThrow(/does not hold: banana/);
  expect(tokenizer.decode(tokenizer.encode("A + banana ?", { unknown: "replace" }))).toBe("A + <unk> ?");
  expect(() => tokenizer.decode([8, 999])).toThrow("Token id 999 (at index 1) is outside the vocabulary");
});

test("a question becomes a short prompt whose image token is repeated for the features", () => {
  const text = template.renderQuestion("A + C ?");
  expect(text).toBe("<|vision_start|><|image_pad|><|vision_end|>A + C ?<|im_start|>");
  const image = nanoSpecialId("<|image_pad|>");
  const ids = expandImageTokens(tokenizer.encode(text), image, [16]);
  expect(ids.length).toBe(2 + 16 + 4 + 1);
  expect(ids.filter((id) => id === image).length).toBe(16);
  expect(() => expandImageTokens(ids, image, [16])).toThrow("image placeholders: 16; images given: 1");
});

test("a whole conversation", () => {
  const answered = template.render(
    [
      { role: "system", content: "ignored" },
      { role: "user", content: "A ?" },
      { role: "assistant", content: "8" },
    ],
    { addGenerationPrompt: false },
  );
  expect(answered).toBe("A ?<|im_start|>8<|im_end|>");
});

test("a template of the published kind: default system line, roles, image placeholders", async () => {
  const source =
    "{% set image_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] " +
    "!= 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ " +
    "message['role'] }}\n{% for content in message['content'] %}{% if content['type'] == 'image' %}{% set " +
    "image_count.value = image_count.value + 1 %}<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in " +
    "content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt " +
    "%}<|im_start|>assistant\n{% endif %}";
  for (const [name, content] of [
    ["chat_template.json", { chat_template: source }],
    ["tokenizer_config.json", { chat_template: [{ name: "default", template: source }] }],
  ] as const) {
    const full = await ChatTemplate.open(new InMemoryFiles(new Map([[name, bytes(JSON.stringify(content))]])));
    expect(full.renderQuestion("How many?")).toBe(
      "<|im_start|>system\nYou are a helpful " +
        "assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>How " +
        "many?<|im_end|>\n<|im_start|>assistant\n",
    );
  }
});

test("what is missing or malformed is named", async () => {
  const empty = new InMemoryFiles(new Map());
  await expect(PolicyTokenizer.open(empty)).rejects.toThrow("no tokenizer.json");
  await expect(ChatTemplate.open(empty)).rejects.toThrow("no chat template");
  await expect(PolicyTokenizer.open(new InMemoryFiles(new Map([["tokenizer.json", bytes("{}")]])))).rejects.toThrow(
    "tokenizer.json: model",
  );
  expect(() => ChatTemplate.fromSource("{% for %}", "chat_template.jinja")).toThrow(
    "chat_template.jinja: not a valid Jinja template",
  );
  expect(() => nanoTokenizerFiles(["a", "b", "a"])).toThrow("The word a appears twice");
  expect(() => nanoTokenizerFiles(["a b"])).toThrow("white space");
});

test("byte-level BPE, as in the published checkpoints, round-trips any text", () => {
  // The byte alphabet: printable bytes as themselves, the others from U+0100 on.
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let next = 256;
  const alphabet = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
  const vocab = Object.fromEntries([...alphabet, "<t", "hi", "Ġhi"].map((token, id) => [token, id]));
  const bpe = PolicyTokenizer.fromJson(
    {
      added_tokens: [
        {
          id: 300,
          content: "<|im_end|>",
          single_word: false,
          lstrip: false,
          rstrip: false,
          normalized: false,
          special: true,
        },
      ],
      normalizer: { type: "NFC" },
      post_processor: null,
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab, merges: ["h i", "Ġ hi"] },
    },
    { eos_token: "<|im_end|>" },
  );
  const text = "hi hi  <think>é 面\n</think>";
  expect(bpe.decode(bpe.encode(text))).toBe(text);
  expect(bpe.decode(bpe.encode("hi<|im_end|>"), { skipSpecial: true })).toBe("hi");
});
