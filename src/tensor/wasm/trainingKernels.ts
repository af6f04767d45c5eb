/** Sampling, the policy-gradient loss and the optimiser of the wasm backend. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Kernels } from "../kernels";
import { expectShape, matrixOf } from "./checks";
import type { WasmMemory } from "./memory";

type TrainingKernels = Pick<Kernels, "policyLoss" | "sample" | "sumSquares" | "adamw">;

export function trainingKernels(memory: WasmMemory): TrainingKernels {
  const wasm = memory.exports;
  const at = (tensor: Tensor): number => memory.pointer(tensor);

  return {
    policyLoss(logprob, oldLogprob, refLogprob, advantage, weight, o) {
      const n = logprob.size;
      for (const [argument, tensor] of Object.entries({ logprob, oldLogprob, refLogprob, advantage, weight })) {
        expectShape("policyLoss", argument, tensor, [n]);
      }
      const [dLogprob, stats] = [memory.allocate([n]), memory.allocate([8])];
      wasm.policyLoss(
        n,
        at(logprob),
        at(oldLogprob),
        at(refLogprob),
        at(advantage),
        at(weight),
        o.clipLow,
        o.clipHigh,
        o.dualClip,
        o.ratioMax,
        o.logRatioClamp,
        o.beta,
        at(dLogprob),
        at(stats),
      );
      return { dLogprob, stats };
    },

    sample(logits, buffers, o) {
      const [rows, v] = matrixOf("sample", "logits", logits);
      const capacity = buffers.tokens.shape[1] ?? 0;
      expectShape("sample", "tokens", buffers.tokens, [rows, capacity], "int32");
      expectShape("sample", "logprobs", buffers.logprobs, [rows, capacity]);
      expectShape("sample", "entropies", buffers.entropies, [rows, capacity]);
      expectShape("sample", "next", buffers.next, [rows], "int32");
      expectShape("sample", "done", buffers.done, [rows], "int32");
      expectShape("sample", "streams", buffers.streams, [rows, 2], "int32");
      if (!(o.temperature > 0))
        throw new Error(
          `sample: temperature is ${o.temperature}, expected a positive number (use greedy for the arg-max)`,
        );
      if (!(o.position >= 0 && o.position < capacity))
        throw new Error(`sample: position ${o.position} lies outside the ${capacity} columns of the buffers`);
      const stops = memory.scratch(4 * (o.stopTokens.length + 2 * (v + 4)));
      memory.scratchIntegers(o.stopTokens, stops);
      wasm.sample(
        rows,
        v,
        at(logits),
        at(buffers.tokens),
        at(buffers.logprobs),
        at(buffers.entropies),
        at(buffers.next),
        at(buffers.done),
        at(buffers.streams),
        capacity,
        o.temperature,
        o.greedy ? 1 : 0,
        o.topK,
        o.seed,
        o.step,
        o.position,
        stops,
        o.stopTokens.length,
        o.padToken,
        stops + 4 * o.stopTokens.length,
      );
    },

    sumSquares(x) {
      const sum = memory.allocate([1]);
      wasm.sumSquares(x.size, at(x), at(sum));
      return sum;
    },

    adamw(intoTheta, grad, intoM, intoV, gradSquares, o) {
      const n = intoTheta.size;
      for (const [argument, tensor] of Object.entries({ grad, intoM, intoV }))
        expectShape("adamw", argument, tensor, intoTheta.shape);
      expectShape("adamw", "gradSquares", gradSquares, [1]);
      wasm.adamw(
        n,
        at(intoTheta),
        at(grad),
        at(intoM),
        at(intoV),
        at(gradSquares),
        o.learningRate,
        o.beta1,
        o.beta2,
        o.epsilon,
        o.weightDecay,
        1 - integerPower(o.beta1, o.updateCount),
        1 - integerPower(o.beta2, o.updateCount),
        o.maxGradNorm,
      );
    },
  };
}

/** base^exponent by squaring: unlike Math.pow the same bits in every engine. */
function integerPower(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let e = exponent; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
