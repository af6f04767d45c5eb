/**
 * A merged folder computes what base and adapter compute: against PEFT's own logits, and to the row in half formats.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { Checkpoint } from "./checkpoint/checkpoint";
import { openDirectory } from "./checkpoint/checkpointDirectory";
import { type CheckpointFiles, InMemoryFiles } from "./checkpoint/checkpointFiles";
import { Safetensors } from "./checkpoint/safetensors";
import { readFloat32, toBfloat16, toFloat16 } from "./checkpoint/safetensorsValues";
import { writeSafetensors } from "./checkpoint/safetensorsWriter";
import { loadWeights } from "./loadWeights";
import { mergedFolder } from "./merge";
import { VisionLanguageModel } from "./model";
import { relativeError, verifyModel } from "./verify/verify";

const golden = (path: string): Promise<CheckpointFiles> =>
  openDirectory(new URL(`./golden/${path}`, import.meta.url).pathname);

async function inMemory(
  base: CheckpointFiles,
  adapter: CheckpointFiles,
  pieceBytes?: number,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const file of await mergedFolder(base, adapter, pieceBytes === undefined ? {} : { pieceBytes })) {
    const bytes = new Uint8Array(file.bytes);
    let at = 0;
    for await (const piece of file.pieces()) {
      bytes.set(piece, at);
      at += piece.length;
    }
    expect(at, file.path).toBe(file.bytes);
    files.set(file.path, bytes);
  }
  return files;
}

describe.each(["tiny_tied", "tiny_untied"])("%s", (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasmBackend();
  });
  afterAll(() => backend.dispose());

  it("has PEFT's logits, without the adapter", async () => {
    const files = await inMemory(await golden(name), await golden(`${name}/lora`));
    const checkpoint = await Checkpoint.open(new InMemoryFiles(files));
    const model = new VisionLanguageModel(backend, checkpoint.config, { trainable: "all" });
    await loadWeights(model.parameters, checkpoint);
    const inputs = Safetensors.open(await (await golden(name)).read("reference.safetensors"), "reference.safetensors");
    const outputs = Safetensors.open(
      await (await golden(`${name}/lora`)).read("reference.safetensors"),
      "reference.safetensors",
    );
    const reports = await verifyModel(model, inputs, outputs);
    const errorOf = (tensor: string): number => reports.find((report) => report.name === tensor)?.error ?? Infinity;
    expect(errorOf("logits")).toBeLessThan(1e-5);
    expect(errorOf("loss")).toBeLessThan(1e-5);
    model.dispose();
  });

  it("is the same in small pieces", async () => {
    const [base, adapter] = [await golden(name), await golden(`${name}/lora`)];
    const [whole, pieces] = [await inMemory(base, adapter), await inMemory(base, adapter, 1000)];
    expect(
      [...whole]
        .filter(([path, bytes]) => Buffer.compare(bytes, pieces.get(path) ?? new Uint8Array(0)) !== 0)
        .map(([path]) => path),
    ).toEqual([]);
  });
});

describe("number formats", () => {
  const adapterFolder = async (): Promise<CheckpointFiles> => golden("tiny_tied/lora");

  async function inFormat(dtype: "F16" | "BF16"): Promise<InMemoryFiles> {
    const base = await golden("tiny_tied");
    const file = Safetensors.open(await base.read("model.safetensors"), "model.safetensors");
    const tensors = file.names().map((tensor) => {
      const values = readFloat32(file, tensor);
      return {
        name: tensor,
        shape: file.entry(tensor).shape,
        dtype,
        values: dtype === "F16" ? toFloat16(values, tensor) : toBfloat16(values),
      };
    });
    return new InMemoryFiles(
      new Map([
        ["config.json", await base.read("config.json")],
        ["model.safetensors", writeSafetensors(tensors)],
      ]),
    );
  }

  it.each([
    ["F16", 2 ** -11],
    ["BF16", 2 ** -8],
  ] as const)("%s stays %s: what has no adapter to the byte, what has one to the rounding", async (dtype, rounding) => {
    const base = await inFormat(dtype);
    const files = await inMemory(base, await adapterFolder());
    const exact = Safetensors.open(
      (await inMemory(await golden("tiny_tied"), await adapterFolder())).get("model.safetensors") ?? new Uint8Array(0),
      "exact",
    );
    const merged = Safetensors.open(files.get("model.safetensors") ?? new Uint8Array(0), "merged");
    const before = Safetensors.open(await base.read("model.safetensors"), "before");
    const changed = merged.names().filter((tensor) => Buffer.compare(merged.raw(tensor), before.raw(tensor)) !== 0);
    expect(changed.every((tensor) => tensor.includes("_proj.weight") && tensor.includes("layers."))).toBe(true);
    expect(changed.length).toBeGreaterThan(0);
    for (const tensor of merged.names()) {
      expect(merged.entry(tensor).dtype).toBe(dtype);
      // Two roundings: of the base, and of the sum.
      expect(relativeError(readFloat32(merged, tensor), readFloat32(exact, tensor)), tensor).toBeLessThan(2 * rounding);
    }
  });

  it("refuses an adapter of another shape before anything is written, by name", async () => {
    const adapter = await adapterFolder();
    const file = Safetensors.open(await adapter.read("adapter_model.safetensors"), "adapter_model.safetensors");
    const [first = ""] = file.names();
    const broken = (names: readonly string[]): InMemoryFiles =>
      new InMemoryFiles(
        new Map([
          ["adapter_config.json", configBytes],
          [
            "adapter_model.safetensors",
            writeSafetensors(
              names.map((tensor) => ({
                name: tensor,
                shape: tensor === first ? [1, file.raw(tensor).length / 4] : file.entry(tensor).shape,
                values: readFloat32(file, tensor),
              })),
            ),
          ],
        ]),
      );
    const configBytes = await adapter.read("adapter_config.json");
    await expect(mergedFolder(await golden("tiny_tied"), broken(file.names()))).rejects.toThrow(
      new RegExp(`${first.slice(-30)}.*expected`),
    );
    await expect(mergedFolder(await golden("tiny_tied"), broken([first]))).rejects.toThrow(/has no counterpart/);
    await expect(mergedFolder(await golden("tiny_tied"), broken([]))).rejects.toThrow(/there is no adapter in it/);
  });
});
