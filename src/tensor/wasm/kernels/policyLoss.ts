/** The policy-gradient loss of the wasm backend. */
import type { Kernels } from "../../kernels";
import { expectShape } from "../checks";
import type { WasmMemory } from "../memory";

export function policyLossKernels(memory: WasmMemory): Pick<Kernels, "policyLoss"> {
  const { exports: wasm, address: at } = memory;

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
  };
}
