/**
 * Every end token that a folder names ends a response, wherever it is named; what is trained is the one that the chat
 * template writes; an export names them all. The folder is that of a published checkpoint in small: config.json says
 * `<|im_end|>`, generation_config.json `[<|im_end|>, <|endoftext|>]`.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { textOf } from "../training/transcript";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { openConfig } from "./checkpoint/generationConfig";
import { Policy } from "./policy";
import { syntheticFiles } from "./syntheticCheckpoint";

const [END_OF_TEXT, END_OF_TURN] = [498, 500];
const BOTH = [END_OF_TURN, END_OF_TEXT];

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const parsed = (files: ReadonlyMap<string, Uint8Array>, name: string): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(files.get(name)));

interface Named {
  readonly inText?: unknown;
  readonly atTop?: unknown;
  readonly inGeneration?: unknown;
}

/** The small folder without weights, with `eos_token_id` where the test wants it. */
function folder({ inText, atTop, inGeneration }: Named): InMemoryFiles {
  const files = syntheticFiles("tiny", "f32");
  const { text_config, ...config } = parsed(files, "config.json");
  const { eos_token_id: _theirs, ...text } = Object(text_config);
  files.set(
    "config.json",
    bytes({
      ...config,
      ...(atTop === undefined ? {} : { eos_token_id: atTop }),
      text_config: { ...text, ...(inText === undefined ? {} : { eos_token_id: inText }) },
    }),
  );
  if (inGeneration !== undefined) files.set("generation_config.json", bytes({ eos_token_id: inGeneration }));
  return new InMemoryFiles(files);
}

it.each<readonly [string, Named, readonly number[]]>([
  ["a number in text_config", { inText: END_OF_TURN }, [END_OF_TURN]],
  ["a list in text_config", { inText: [END_OF_TEXT, END_OF_TURN] }, [END_OF_TEXT, END_OF_TURN]],
  ["a number at the top", { atTop: END_OF_TURN }, [END_OF_TURN]],
  ["a list at the top, one of them also in text_config", { inText: END_OF_TURN, atTop: BOTH }, BOTH],
  ["a list in generation_config.json", { inText: END_OF_TURN, inGeneration: BOTH }, BOTH],
  ["only in generation_config.json", { inGeneration: END_OF_TEXT }, [END_OF_TEXT]],
  ["null everywhere", { inText: null, atTop: null, inGeneration: null }, []],
])("end tokens: %s", async (_, named, expected) => {
  expect((await openConfig(folder(named))).config.text.eosTokenIds).toEqual(expected);
});

it("names the file and key of an end token that is none", async () => {
  await expect(openConfig(folder({ inGeneration: ["<|im_end|>"] }))).rejects.toThrow(
    /^generation_config\.json: eos_token_id/,
  );
  await expect(openConfig(folder({ atTop: -1 }))).rejects.toThrow(/^config\.json: eos_token_id/);
});

it("a response ends at any of them, and its text is without it", async () => {
  const policy = await Policy.create(backend, folder({ inText: END_OF_TURN, inGeneration: BOTH }), { seed: 3 });
  const pixels = new Uint8Array(56 * 56 * 3).fill(120);
  const { rows } = await policy.generate([policy.encodePrompt("?", { width: 56, height: 56, pixels })], {
    groupSize: 96,
    temperature: 1,
    maxNewTokens: 64,
    seed: 1,
    step: 0,
  });
  const ends = new Set<number>();
  for (const { tokens, finished } of rows) {
    const last = tokens.at(-1) ?? -1;
    expect(tokens.findIndex((token) => BOTH.includes(token))).toBe(finished ? tokens.length - 1 : -1);
    if (!finished) continue;
    ends.add(last);
    expect(textOf(policy, [...tokens], [])).toBe(policy.tokenizer.decode(tokens.subarray(0, -1)));
  }
  expect([...ends].sort()).toEqual([END_OF_TEXT, END_OF_TURN]);
  policy.dispose();
});

it("more end tokens than the kernels compare with all end a response", async () => {
  const many = [...Array.from({ length: 20 }, (_, i) => 20 * i), END_OF_TURN];
  const policy = await Policy.create(backend, folder({ inGeneration: many }), { seed: 3 });
  const pixels = new Uint8Array(56 * 56 * 3).fill(120);
  const { rows } = await policy.generate([policy.encodePrompt("?", { width: 56, height: 56, pixels })], {
    groupSize: 32,
    temperature: 1,
    maxNewTokens: 64,
    seed: 1,
    step: 0,
  });
  const at = rows.map(({ tokens }) => tokens.findIndex((token) => many.includes(token)));
  expect(at).toEqual(rows.map(({ tokens, finished }) => (finished ? tokens.length - 1 : -1)));
  expect(rows.some(({ tokens }) => many.slice(8).includes(tokens.at(-1) ?? -1))).toBe(true);
  policy.dispose();
});

it.each<readonly [string, Named]>([
  ["the first of the list", { inText: END_OF_TURN, inGeneration: BOTH }],
  ["the last of the list", { inText: [END_OF_TEXT, END_OF_TURN] }],
  ["in no list", { inText: END_OF_TEXT }],
  ["nowhere but in the template", {}],
])("trains the template's end of turn and stops at it: %s", async (_, named) => {
  const policy = await Policy.create(backend, folder(named), { seed: 3 });
  expect([...policy.encodeResponse("a")]).toEqual([...policy.tokenizer.encode("a"), END_OF_TURN]);
  expect(policy.config.text.eosTokenIds).toContain(END_OF_TURN);
  policy.dispose();
});

it("an export names them all, and opens again with them all", async () => {
  const policy = await Policy.create(backend, folder({ inText: END_OF_TURN, inGeneration: BOTH }), { seed: 3 });
  const files = await policy.toFiles();
  expect(parsed(files, "generation_config.json")).toMatchObject({ eos_token_id: BOTH, pad_token_id: END_OF_TEXT });
  const again = await Policy.load(backend, new InMemoryFiles(files), { trainable: "none" });
  expect(again.config.text.eosTokenIds).toEqual(BOTH);
  again.dispose();
  policy.dispose();
});
