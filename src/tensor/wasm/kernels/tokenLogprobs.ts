/** Log-probabilities of target tokens from the vocabulary head on the wasm backend, and their gradient. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Kernels, Weight } from "../../kernels";
import { expectShape, expectWeight, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";
import { transposedBytes, up4, up8, weightAddresses } from "../panels";

/** Tokens of the vocabulary and rows of logits held at a time: 256 KiB. */
const VOCABULARY_CHUNK = 512;
const ROW_BLOCK = 128;

/** Scratch of both kernels (assembly/tokenLogprobs.ts). */
const headBytes = (n: number, d: number, chunk: number, v: number) =>
  160 +
  16 * n +
  4 * d * up8(chunk) +
  4 * d * Math.max(8, chunk) +
  4 * chunk * up8(d) +
  4 * ROW_BLOCK * up4(chunk + 4) +
  transposedBytes(Math.min(chunk, v), d);

export function tokenLogprobsKernels(memory: WasmMemory): Pick<Kernels, "tokenLogprobs" | "tokenLogprobsGrad"> {
  const { exports: wasm, address: at } = memory;
  const addresses = (weight: Weight) => weightAddresses(memory, weight);

  return {
    tokenLogprobs(hidden, head, targets, temperature) {
      const [n, d] = matrixOf("tokenLogprobs", "hidden", hidden);
      expectHead("tokenLogprobs", n, d, head, targets, temperature);
      const chunk = Math.min(VOCABULARY_CHUNK, head.out);
      const scratch = memory.scratch(headBytes(n, d, chunk, head.out));
      const [logprob, lse, entropy] = [memory.allocate([n]), memory.allocate([n]), memory.allocate([n])];
      wasm.tokenLogprobs(
        n,
        d,
        head.out,
        at(hidden),
        ...addresses(head),
        at(targets),
        temperature,
        at(logprob),
        at(lse),
        at(entropy),
        chunk,
        ROW_BLOCK,
        scratch,
      );
      return { logprob, lse, entropy };
    },

    tokenLogprobsGrad(hidden, head, targets, lse, dLogprob, temperature, intoHead) {
      const [n, d] = matrixOf("tokenLogprobsGrad", "hidden", hidden);
      expectHead("tokenLogprobsGrad", n, d, head, targets, temperature);
      expectShape("tokenLogprobsGrad", "lse", lse, [n]);
      expectShape("tokenLogprobsGrad", "dLogprob", dLogprob, [n]);
      if (intoHead) expectShape("tokenLogprobsGrad", "intoHead", intoHead, [head.out, d]);
      const chunk = Math.min(VOCABULARY_CHUNK, head.out);
      const scratch = memory.scratch(headBytes(n, d, chunk, head.out));
      const dHidden = memory.allocate([n, d]);
      wasm.tokenLogprobsGrad(
        n,
        d,
        head.out,
        at(hidden),
        ...addresses(head),
        at(targets),
        temperature,
        at(lse),
        at(dLogprob),
        at(dHidden),
        at(intoHead),
        chunk,
        ROW_BLOCK,
        scratch,
      );
      return dHidden;
    },
  };

  function expectHead(kernel: string, n: number, d: number, head: Weight, targets: Tensor, temperature: number): void {
    expectWeight(kernel, "head", head, d);
    expectShape(kernel, "targets", targets, [n], "int32");
    if (!(temperature > 0)) throw new Error(`${kernel}: temperature is ${temperature}, expected a positive number`);
    if (!wasm.idsWithin(n, at(targets), head.out, 1))
      throw new Error(`${kernel}: targets hold a value outside [-1, ${head.out})`);
  }
}
