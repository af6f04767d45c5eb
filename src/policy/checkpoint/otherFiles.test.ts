/** Folders that hold something else than their names say: each is named as what it is, with what to do. */
import { expect, it, test } from "vitest";
import { openReferenceBackend } from "../../tensor/reference/backend";
import { Policy } from "../policy";
import { syntheticFiles, syntheticTensors } from "../syntheticCheckpoint";
import { Checkpoint } from "./checkpoint";
import { InMemoryFiles } from "./checkpointFiles";
import { KIND_BYTES, otherKind } from "./fileKind";
import { type TensorToWrite, writeSafetensors } from "./safetensorsWriter";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const POINTER = text(`version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 3970000000\n`);
const PAGE = text(`<!DOCTYPE html>\n<html><head><title>Sign in</title></head>${"<p>".repeat(400)}</html>`);

const weights: TensorToWrite[] = syntheticTensors("tiny", "f32").map(({ name, shape }) => ({
  name,
  shape,
  values: new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(0.5),
}));
const whole = writeSafetensors(weights);
const folder = (changes: Readonly<Record<string, Uint8Array | null>>): InMemoryFiles => {
  const files = syntheticFiles("tiny", "f32").set("model.safetensors", whole);
  for (const [name, bytes] of Object.entries(changes)) {
    if (bytes === null) files.delete(name);
    else files.set(name, bytes);
  }
  return new InMemoryFiles(files);
};
const without = { "model.safetensors": null };

it.each<readonly [string, Readonly<Record<string, Uint8Array | null>>, RegExp]>([
  [
    "a Git LFS pointer",
    { "model.safetensors": POINTER },
    /^model\.safetensors: not safetensors but a Git LFS pointer.*pull/,
  ],
  ["a pointer as config.json", { "config.json": POINTER }, /^config\.json: a Git LFS pointer/],
  ["a web page", { "model.safetensors": PAGE }, /^model\.safetensors: not safetensors but a web page \(HTML\)/],
  ["a web page as generation_config.json", { "generation_config.json": PAGE }, /^generation_config\.json: a web page/],
  ["an error message", { "model.safetensors": text('{"error":"Repository not found"}') }, /a server's error message/],
  ["an error in words", { "model.safetensors": text("Entry not found") }, /a server's error message/],
  ["a GGUF file", { "model.safetensors": text(`GGUF${"x".repeat(60)}`) }, /not safetensors but a GGUF file/],
  [
    "a torch.save archive",
    { "model.safetensors": text(`PK\u0003\u0004${"x".repeat(60)}`) },
    /such as torch\.save writes/,
  ],
  ["a pickle", { "model.safetensors": Uint8Array.of(0x80, 2, ...text("}q".repeat(20))) }, /a Python pickle/],
  ["zeros", { "model.safetensors": new Uint8Array(4096) }, /zeros only, an unfinished download/],
  [
    "PyTorch weights",
    { ...without, "pytorch_model.bin": text("x") },
    /pytorch_model\.bin: weights as a PyTorch pickle/,
  ],
  ["GGUF weights", { ...without, "model-q4.gguf": text("x") }, /model-q4\.gguf: GGUF weights/],
  ["an unfinished download", { ...without, "model.safetensors.incomplete": text("x") }, /an unfinished download/],
  [
    "shards without an index",
    { ...without, "model-00001-of-00002.safetensors": whole },
    /model-00001-of-00002\.safetensors: shards without their index/,
  ],
  [
    "weights of another name",
    { ...without, "weights.safetensors": whole },
    /weights\.safetensors: weights under another/,
  ],
  [
    "an adapter",
    { ...without, "config.json": null, "adapter_config.json": text("{}") },
    /holds adapter_config\.json and no config\.json: it is a LoRA adapter/,
  ],
])("%s is named as what it is", async (_, changes, expected) => {
  await expect(Checkpoint.open(folder(changes))).rejects.toThrow(expected);
});

test.each(["tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "preprocessor_config.json"])(
  "a pointer as %s is named as well",
  async (name) => {
    const backend = await openReferenceBackend();
    await expect(Policy.load(backend, folder({ [name]: POINTER }))).rejects.toThrow(`${name}: a Git LFS pointer`);
    await backend.dispose();
  },
);

test("what may be what it should is left to its reader", () => {
  for (const bytes of [whole, text('{"a": 1}'), text("{% for message in messages %}"), text("[1]")])
    expect(otherKind(bytes.subarray(0, KIND_BYTES))).toBeNull();
});

test.each([0x0280, 0x0580, 0x088b1f, 0x04034b50])(
  "a header of %i bytes begins like a pickle or an archive, and is none",
  (length) => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setUint32(0, length, true);
    bytes[8] = 0x7b;
    expect(otherKind(bytes)).toBeNull();
  },
);

const first = weights[0];
const bytesTensor = (name: string, dtype: "F8_E4M3" | "U8" | "I32", shape: readonly number[]): TensorToWrite => ({
  name,
  shape,
  dtype,
  values: new Uint8Array(shape.reduce((product, n) => product * n, dtype === "I32" ? 4 : 1)),
});

it.each<readonly [string, readonly TensorToWrite[], RegExp]>([
  ["GPTQ", [...weights, bytesTensor("model.layers.0.mlp.up_proj.qweight", "I32", [8, 160])], /AWQ or GPTQ/],
  ["bitsandbytes", [...weights, bytesTensor("model.layers.0.mlp.up_proj.weight.absmax", "U8", [8])], /bitsandbytes/],
  [
    "FP8",
    weights.map((tensor) => (tensor === first ? bytesTensor(tensor.name, "F8_E4M3", tensor.shape) : tensor)),
    /F8_E4M3: the weights are quantised: FP8/,
  ],
])("weights quantised as %s are named although config.json does not say so", async (_, tensors, expected) => {
  await expect(Checkpoint.open(folder({ "model.safetensors": writeSafetensors(tensors) }))).rejects.toThrow(expected);
});
