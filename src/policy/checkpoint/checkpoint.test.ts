import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Checkpoint } from "./checkpoint";
import { openDirectory, writeDirectory } from "./checkpointDirectory";
import { CheckpointError, InMemoryFiles, UrlFiles } from "./checkpointFiles";
import { canonicalName, moduleName } from "./checkpointNames";
import { withTie } from "./config";
import { Safetensors } from "./safetensors";
import { type TensorToWrite, writeSafetensors } from "./safetensorsWriter";

const folder = fileURLToPath(new URL("../golden/tiny_untied", import.meta.url));
const directory = await openDirectory(folder);
const config = await directory.read("config.json");
const weights = await directory.read("model.safetensors");
const source = Safetensors.open(weights, "model.safetensors");
const tensors: TensorToWrite[] = source.names().map((name) => ({
  name,
  shape: source.entry(name).shape,
  dtype: source.entry(name).dtype,
  values: source.raw(name),
}));

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const openWith = (files: Record<string, Uint8Array>) =>
  Checkpoint.open(new InMemoryFiles(new Map(Object.entries({ "config.json": config, ...files }))));
const openTensors = (changed: readonly TensorToWrite[]) => openWith({ "model.safetensors": writeSafetensors(changed) });

test("a folder on disk: every expected tensor, read by either layout's name", async () => {
  const checkpoint = await Checkpoint.open(directory);
  expect(checkpoint.names()).toHaveLength(69);
  expect(await checkpoint.read("model.language_model.norm.weight")).toEqual(await checkpoint.read("model.norm.weight"));
  expect(checkpoint.entry("model.visual.patch_embed.proj.weight").shape).toEqual([24, 3, 2, 14, 14]);
});

test("a tensor in pieces of whole rows, no read longer than asked for, is the tensor", async () => {
  const ranges: number[] = [];
  const checkpoint = await Checkpoint.open({
    ...directory,
    readRange: (path, from, to) => {
      ranges.push(to - from);
      return directory.readRange(path, from, to);
    },
  });
  ranges.length = 0;
  const whole = new Float32Array(200 * 48).fill(NaN);
  for await (const { firstRow, values } of checkpoint.pieces("lm_head.weight", 7 * 48 * 4 + 11))
    whole.set(values, firstRow * 48);
  expect(ranges).toEqual([...Array<number>(28).fill(7 * 48 * 4), 4 * 48 * 4]);
  expect(whole).toEqual(await checkpoint.read("lm_head.weight"));
});

test("a file that shrinks after it was opened is named, with the tensor", async () => {
  const checkpoint = await Checkpoint.open({
    ...directory,
    readRange: async (path, from, to) => {
      if (from > 50_000) throw new CheckpointError(`${path}: ends at byte 50000, expected bytes ${from} to ${to}.`);
      return directory.readRange(path, from, to);
    },
  });
  const loading = async (): Promise<void> => {
    for (const name of checkpoint.names()) await checkpoint.read(name);
  };
  await expect(loading()).rejects.toThrow(/^Tensor \S+: model\.safetensors: ends at byte 50000/);
  await expect(directory.readRange("config.json", 0, 1e6)).rejects.toThrow(
    /config\.json: ends at byte \d+, expected bytes 0 to 1000000/,
  );
});

test("names in the module layout are normalised, and back", async () => {
  const renamed = tensors.map((t) => ({ ...t, name: moduleName(t.name) }));
  expect(renamed.some((t) => t.name.startsWith("model.language_model.layers."))).toBe(true);
  expect(renamed.map((t) => canonicalName(t.name))).toEqual(tensors.map((t) => t.name));
  const checkpoint = await openTensors(renamed);
  expect(await checkpoint.read("model.layers.0.mlp.up_proj.weight")).toEqual(
    await (await Checkpoint.open(directory)).read("model.layers.0.mlp.up_proj.weight"),
  );
});

test("shards named by an index", async () => {
  const shards = { "a.safetensors": tensors.slice(0, 30), "b.safetensors": tensors.slice(30) };
  const weight_map = Object.fromEntries(
    Object.entries(shards).flatMap(([file, held]) => held.map((t) => [t.name, file])),
  );
  const written = Object.fromEntries(Object.entries(shards).map(([file, held]) => [file, writeSafetensors(held)]));
  const index = { "model.safetensors.index.json": json({ metadata: { total_size: 1 }, weight_map }) };
  expect(await (await openWith({ ...index, ...written })).read("lm_head.weight")).toHaveLength(200 * 48);
  await expect(openWith({ ...index, "a.safetensors": written["a.safetensors"]! })).rejects.toThrow(
    "names 2 shards, of which 1 are not in the folder: b.safetensors. The download is not complete",
  );
  const lying = {
    "model.safetensors.index.json": json({ weight_map: { ...weight_map, "lm_head.weight": "b.safetensors" } }),
  };
  await expect(openWith({ ...lying, ...written })).rejects.toThrow(
    "places tensor lm_head.weight in b.safetensors, which does not hold it",
  );
  await expect(
    openWith({ "model.safetensors.index.json": json({ weight_map: { w: "../../secret.safetensors" } }) }),
  ).rejects.toThrow("weight_map.w: expected the name of a .safetensors file");
});

test("a config that fits no checkpoint: missing, extra and mis-shaped tensors by name", async () => {
  const without = tensors.filter((t) => t.name !== "model.norm.weight");
  await expect(openTensors(without)).rejects.toThrow("1 missing: model.norm.weight");
  await expect(
    openTensors([...tensors, { name: "model.extra", shape: [1], values: new Float32Array(1) }]),
  ).rejects.toThrow("1 that the model does not have: model.extra");
  const misshaped = [...without, { name: "model.norm.weight", shape: [47], values: new Float32Array(47) }];
  await expect(openTensors(misshaped)).rejects.toThrow("1 of another shape: model.norm.weight is [47], expected [48]");
  const other = await readFile(new URL("../golden/tiny_tied/config.json", import.meta.url));
  await expect(openWith({ "config.json": other, "model.safetensors": weights })).rejects.toThrow(
    /^The weights do not fit config\.json\. Tensors \d+ of another shape: .*and \d+ more/,
  );
  const twice = { name: "model.language_model.norm.weight", shape: [48], values: new Float32Array(48) };
  await expect(openTensors([...tensors, twice])).rejects.toThrow("stands for model.norm.weight");
});

const tiedConfig = json({ ...JSON.parse(new TextDecoder().decode(config)), tie_word_embeddings: true });
const table = tensors.find(({ name }) => name === "model.embed_tokens.weight");

test("a tied head stored with other values than the table is a head of its own, as in transformers 5", async () => {
  const checkpoint = await openWith({ "config.json": tiedConfig, "model.safetensors": writeSafetensors(tensors) });
  expect(checkpoint.config.text.tieWordEmbeddings).toBe(false);
  expect(checkpoint.names()).toContain("lm_head.weight");
  expect(withTie(JSON.parse(checkpoint.configText), checkpoint.config)).toMatchObject({ tie_word_embeddings: false });
});

test("a tied head without a table is the table, as in transformers 5", async () => {
  const checkpoint = await openWith({
    "config.json": tiedConfig,
    "model.safetensors": writeSafetensors(tensors.filter((tensor) => tensor !== table)),
  });
  expect(checkpoint.config.text.tieWordEmbeddings).toBe(true);
  expect(await checkpoint.read("model.embed_tokens.weight")).toEqual(await checkpoint.read("lm_head.weight"));
});

test("a copy of the table as a tied head and rotary buffers are left alone", async () => {
  const checkpoint = await openWith({
    "config.json": tiedConfig,
    "model.safetensors": writeSafetensors([
      ...tensors.map((tensor) =>
        tensor.name === "lm_head.weight" && table ? { ...tensor, values: table.values } : tensor,
      ),
      { name: "model.rotary_emb.inv_freq", shape: [4], values: new Float32Array(4) },
    ]),
  });
  expect(checkpoint.names()).not.toContain("lm_head.weight");
});

test("a bad folder says what is missing; a truncated file says where", async () => {
  await expect(Checkpoint.open(new InMemoryFiles(new Map([["readme.md", config]])))).rejects.toThrow(
    "The folder holds no config.json; it holds readme.md",
  );
  await expect(openWith({})).rejects.toThrow("holds neither model.safetensors nor model.safetensors.index.json");
  await expect(openWith({ "model.safetensors": weights.subarray(0, weights.length - 100) })).rejects.toThrow(
    /^model\.safetensors: tensor \S+: data ends at byte .* The file is truncated/,
  );
  await expect(openDirectory(join(folder, "nowhere"))).rejects.toThrow(/nowhere: not a readable folder/);
});

test("a folder behind a URL: answers that are not the file are refused", async () => {
  const answer = (body: BodyInit, init?: ResponseInit) =>
    new UrlFiles("policies/base", undefined, async () => new Response(body, init));
  expect(await answer("{}").read("config.json")).toEqual(new TextEncoder().encode("{}"));
  await expect(answer("", { status: 404, statusText: "Not Found" }).read("config.json")).rejects.toThrow(
    "policies/base/config.json: the server answered 404 Not Found",
  );
  await expect(
    answer("<html>", { headers: { "content-type": "text/html" } }).read("model.safetensors"),
  ).rejects.toThrow("answered with an HTML page");
  const offline = new UrlFiles("policies/base/", undefined, () => Promise.reject(new TypeError("fetch failed")));
  await expect(offline.read("config.json")).rejects.toThrow(
    "policies/base/config.json: could not be fetched (fetch failed)",
  );
});

test("a written folder opens again", async () => {
  const at = await mkdtemp(join(tmpdir(), "checkpoint-"));
  try {
    await writeDirectory(
      join(at, "policy"),
      new Map([
        ["config.json", config],
        ["model.safetensors", writeSafetensors(tensors)],
      ]),
    );
    expect(await (await Checkpoint.open(await openDirectory(join(at, "policy")))).read("lm_head.weight")).toHaveLength(
      200 * 48,
    );
  } finally {
    await rm(at, { recursive: true });
  }
});
