import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import type { Weight } from "../kernels";
import { packWeight, unpackWeight } from "../packedWeight";
import { expectClose, noise } from "../testing/plain";
import { openWasmBackend } from "./backend";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const up = (values: Float32Array | Int32Array, ...shape: number[]) => backend.upload(values, shape);

/** The same kernel with the packed weight and with the f32 values it stands for must agree to the last bit. */
describe.each([
  ["f16", 5, 7, 6],
  ["f16", 3, 20, 34],
  ["f16", 140, 1030, 10],
  ["int4", 4, 9, 32],
  ["int4", 33, 40, 96],
  ["int4", 130, 600, 64],
] as const)("a weight packed as %s, %i rows, [%i, %i]", (format, n, outputs, inputs) => {
  async function both(run: (weight: Weight) => ReturnType<Backend["zeros"]>[]) {
    const packed = packWeight(backend, noise(outputs * inputs, 1, 0.3), outputs, inputs, format);
    const plain: Weight = {
      format: "f32",
      out: outputs,
      in: inputs,
      values: up(await unpackWeight(backend, packed), outputs, inputs),
    };
    expect(await backend.read(run(packed))).toEqual(await backend.read(run(plain)));
    expectClose(await unpackWeight(backend, packed), noise(outputs * inputs, 1, 0.3), format === "f16" ? 1e-3 : 0.08);
  }
  const x = noise(n * inputs, 2);
  const dy = noise(n * outputs, 3);
  const targets = Int32Array.from({ length: n }, (_, i) => (i * 7) % outputs);

  it("linear", () => both((w) => [backend.kernels.linear(up(x, n, inputs), w, up(noise(outputs, 4), outputs), null)]));
  it("linearGradInput", () => both((w) => [backend.kernels.linearGradInput(up(dy, n, outputs), w, up(x, n, inputs))]));
  it("embedding", () => both((w) => [backend.kernels.embedding(w, null, up(targets, n))]));
  it("tokenLogprobs", () =>
    both((w) => {
      const { logprob, lse, entropy } = backend.kernels.tokenLogprobs(up(x, n, inputs), w, up(targets, n), 0.7);
      const dHidden = backend.kernels.tokenLogprobsGrad(
        up(x, n, inputs),
        w,
        up(targets, n),
        lse,
        up(noise(n, 5), n),
        0.7,
        null,
      );
      return [logprob, lse, entropy, dHidden];
    }));
});
