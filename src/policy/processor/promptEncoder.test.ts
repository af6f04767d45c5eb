/** How large a picture becomes, and how many tokens stand for it. */
import { expect, test } from "vitest";
import { openDirectory } from "../checkpoint/checkpointDirectory";
import { InMemoryFiles } from "../checkpoint/checkpointFiles";
import { parseConfig } from "../checkpoint/config";
import { PromptEncoder } from "./promptEncoder";

test("a picture is scaled down to the pixels that are allowed, never up to them", async () => {
  const files = await openDirectory("public/policies/base");
  const config = parseConfig(new TextDecoder().decode(await files.read("config.json")));
  const picture = { width: 48, height: 48, pixels: new Uint8Array(48 * 48 * 3).fill(200) };
  const cell = (config.vision.patchSize * config.vision.spatialMergeSize) ** 2;
  const cells = async (maxPixels: number | null): Promise<number> => {
    const encoder = await PromptEncoder.open(files, config, maxPixels);
    if (encoder === null) throw new Error("the base has a tokenizer");
    return encoder.encode("how many ?", [picture]).ids.filter((id) => id === config.imageTokenId).length;
  };
  const all = await cells(null);
  expect(all).toBe((48 * 48) / cell);
  expect(await cells(100 * 48 * 48)).toBe(all);
  expect(await cells(24 * 24)).toBe(all / 4);
  expect(await cells(cell)).toBe(1);
  await expect(PromptEncoder.open(files, config, cell - 1)).rejects.toThrow(/one token of a picture is/);
});

test.each([
  ["vision_start", "visyon_start", "is not in the vocabulary|does not hold"],
  ["<|image_pad|>", "", "image placeholders: 0"],
])("a damaged chat template is named, not the question: %s", async (from, to, why) => {
  const files = await openDirectory("public/policies/base");
  const config = parseConfig(new TextDecoder().decode(await files.read("config.json")));
  const copies = await Promise.all(
    files.list().map(async (name): Promise<[string, Uint8Array]> => [name, await files.read(name)]),
  );
  const template = new TextDecoder().decode(await files.read("chat_template.jinja"));
  expect(template).toContain(from);
  const damaged = new Map(copies).set("chat_template.jinja", new TextEncoder().encode(template.replaceAll(from, to)));
  await expect(PromptEncoder.open(new InMemoryFiles(damaged), config)).rejects.toThrow(
    new RegExp(`chat_template.jinja: it does not fit the tokenizer: .*(${why})`),
  );
});
