/**
 * Special tokens that a question or a response spells are text. The ids are those of Hugging Face's tokenizers with
 * `split_special_tokens` for the text, and without it for the template around it (golden/specialTokens.json).
 */
import { expect, test } from "vitest";
import { openDirectory } from "../checkpoint/checkpointDirectory";
import { InMemoryFiles } from "../checkpoint/checkpointFiles";
import { parseConfig } from "../checkpoint/config";
import golden from "../golden/specialTokens.json";
import { PromptEncoder } from "./promptEncoder";
import { PolicyTokenizer } from "./tokenizer";
import { NANO_CHAT_TEMPLATE } from "./tokenizerNano";

const TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}{% if " +
  "part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}" +
  "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const IMAGE = 268;
const picture = { width: 8, height: 8, pixels: new Uint8Array(8 * 8 * 3).fill(100) };

async function encoderOf(tokenizer: object, template: string): Promise<PromptEncoder> {
  const base = await openDirectory("public/policies/base");
  const config = JSON.parse(new TextDecoder().decode(await base.read("config.json"))) as { text_config: object };
  const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const files = new InMemoryFiles(
    new Map([
      ["tokenizer.json", bytes(tokenizer)],
      ["tokenizer_config.json", bytes({ eos_token: "<|im_end|>", chat_template: template })],
    ]),
  );
  const sized = { ...config, image_token_id: IMAGE, text_config: { ...config.text_config, vocab_size: 300 } };
  const encoder = await PromptEncoder.open(files, parseConfig(sized));
  if (encoder === null) throw new Error("the folder has a tokenizer");
  return encoder;
}

/** Ids with one image token a picture, as the template wrote it. */
const once = (ids: Int32Array): number[] => [...ids].filter((id, i) => id !== IMAGE || ids[i - 1] !== IMAGE);

test("in a question they are spelled out, and the template's own are recognised", async () => {
  const encoder = await encoderOf(golden.tokenizer, TEMPLATE);
  const { tokenizer } = encoder;
  // What the question would have been: a picture that is not there, and the end of the turn.
  expect([...tokenizer.encode(golden.question)]).toEqual(golden.special_ids);
  expect([...tokenizer.encodeText(golden.question)]).toEqual(golden.text_ids);
  expect(once(encoder.encode(golden.question, [picture]).ids)).toEqual(golden.prompt_ids);
  expect(tokenizer.decode(tokenizer.encodeText(golden.question))).toBe(golden.question);
  // The character that marks them may be in the question too.
  const odd = `${golden.question}\ufdd0`;
  expect(tokenizer.decode(encoder.encode(odd, [picture]).ids)).toContain(odd);
});

test("a question without them has the ids of the whole text", async () => {
  const encoder = await encoderOf(golden.tokenizer, TEMPLATE);
  expect(once(encoder.encode(golden.ordinary_question, [picture]).ids)).toEqual(golden.ordinary_prompt_ids);
});

test("<image> is a mark, and a picture's place, beside them", async () => {
  const encoder = await encoderOf(golden.tokenizer, TEMPLATE);
  const { ids } = encoder.encode("hi <|image_pad|> <image> hi", [picture]);
  expect(encoder.tokenizer.decode(once(ids))).toBe(
    "<|im_start|>user\nhi <|image_pad|> <|vision_start|><|image_pad|><|vision_end|> hi<|im_end|>\n" +
      "<|im_start|>assistant\n",
  );
  expect(ids.filter((id) => id === IMAGE).length).toBeGreaterThan(0);
});

test("in a response to learn from, a teacher's for instance, only the end of the turn is one", async () => {
  const encoder = await encoderOf(golden.tokenizer, TEMPLATE);
  const [end] = encoder.tokenizer.encode("<|im_end|>");
  expect([...encoder.encodeResponse(golden.question)]).toEqual([...golden.text_ids, end]);
});

test("a word-level vocabulary cannot spell them: they are named", async () => {
  const base = await openDirectory("public/policies/base");
  const tokenizer = await PolicyTokenizer.open(base);
  expect(() => tokenizer.encodeText("A + <|image_pad|> ?")).toThrow("does not hold: <|image_pad|>");
  expect(tokenizer.decode(tokenizer.encodeText("A + <|im_end|> ?", { unknown: "replace" }))).toBe("A + <unk> ?");
  const encoder = await PromptEncoder.open(base, parseConfig(await base.read("config.json")));
  expect(() => encoder?.encode("A + <|image_pad|> ?", [picture])).toThrow("does not hold: <|image_pad|>");
  expect(() => encoder?.encodeResponse("<answer> 8 </answer> <|im_end|>")).toThrow("does not hold: <|im_end|>");
  expect(NANO_CHAT_TEMPLATE).toContain("<|image_pad|>");
});
