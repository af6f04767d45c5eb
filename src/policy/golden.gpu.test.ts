/**
 * The policy computes what transformers computes (golden/, made with transformers 5.18 and PEFT 0.21), on every
 * backend: M-RoPE positions, image features, logits, loss, the gradient of every parameter, greedy tokens, and an
 * adapter.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { AdapterFile } from "./adapter/adapterFile";
import { Checkpoint } from "./checkpoint/checkpoint";
import { openDirectory } from "./checkpoint/checkpointDirectory";
import { Safetensors } from "./checkpoint/safetensors";
import { loadWeights } from "./loadWeights";
import { type ModelOptions, VisionLanguageModel } from "./model";
import { BACKENDS } from "./testing/testBackends";
import { verifyModel } from "./verify/verify";

const golden = (path: string): string => new URL(`./golden/${path}`, import.meta.url).pathname;

async function open(path: string): Promise<Safetensors> {
  const [, folder = "", file = ""] = /^(.*)\/([^/]+)$/.exec(path) ?? [];
  return Safetensors.open(await (await openDirectory(golden(folder))).read(file), path);
}

async function loaded(backend: Backend, name: string, options: ModelOptions): Promise<VisionLanguageModel> {
  const checkpoint = await Checkpoint.open(await openDirectory(golden(name)));
  const model = new VisionLanguageModel(backend, checkpoint.config, options);
  await loadWeights(model.parameters, checkpoint);
  return model;
}

describe.each(BACKENDS)("on the $name backend", ({ open: openBackend }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openBackend();
  });
  afterAll(() => backend.dispose());

  it.each(["tiny_tied", "tiny_untied"])(
    "%s: positions, features, logits, loss, every gradient and greedy tokens",
    async (name) => {
      const model = await loaded(backend, name, { trainable: "all" });
      const reports = await verifyModel(model, await open(`${name}/reference.safetensors`));
      expect(reports.filter((report) => !report.ok)).toEqual([]);
      expect(reports.map((report) => report.name)).toEqual(
        expect.arrayContaining(["position_ids", "rope_deltas", "image_features", "logits", "loss", "greedy"]),
      );
      expect(reports.filter((report) => report.name.startsWith("grad.")).length).toBe(model.parameters.names().length);
      model.dispose();
    },
  );

  it.each(["tiny_tied", "tiny_untied"])("%s: the adapter's logits, loss and gradients", async (name) => {
    const { config } = await Checkpoint.open(await openDirectory(golden(name)));
    const adapter = await AdapterFile.open(await openDirectory(golden(`${name}/lora`)), config);
    const model = await loaded(backend, name, { trainable: "none", lora: adapter.loraOptions() });
    adapter.loadInto(model.parameters);
    const reports = await verifyModel(
      model,
      await open(`${name}/reference.safetensors`),
      await open(`${name}/lora/reference.safetensors`),
    );
    expect(reports.filter((report) => !report.ok)).toEqual([]);
    expect(reports.length).toBe(2 + model.parameters.names().filter((tensor) => tensor.includes(".lora_")).length);
    model.dispose();
  });
});
