/** The policy-gradient loss of the wasm backend. */
import type { Kernels } from "../../kernels";
import type { KlEstimatorName, SurrogateOptions } from "../../policyLossOptions";
import { expectShape } from "../checks";
import type { WasmMemory } from "../memory";

/** As assembly/policyLoss.ts counts them. */
const ESTIMATOR_NUMBERS: Readonly<Record<KlEstimatorName, number>> = { k1: 0, abs: 1, k2: 2, k3: 3 };

export function policyLossKernels(memory: WasmMemory): Pick<Kernels, "policyLoss"> {
  const { exports: wasm, address: at } = memory;

  return {
    policyLoss(logprob, oldLogprob, refLogprob, advantage, weight, sequences, o) {
      const n = logprob.size;
      for (const [argument, tensor] of Object.entries({ logprob, oldLogprob, refLogprob, advantage, weight })) {
        expectShape("policyLoss", argument, tensor, [n]);
      }
      if (o.level === "sequence") {
        if (sequences === null) throw new Error("policyLoss: at sequence level it needs the rows of each sequence.");
        expectShape("policyLoss", "sequences", sequences, [n, 2], "int32");
      }
      const [kind, p0, p1, p2 = 0, p3 = 0] = surrogateArguments(o.surrogate);
      const [dLogprob, stats] = [memory.allocate([n]), memory.allocate([8])];
      wasm.policyLoss(
        n,
        at(logprob),
        at(oldLogprob),
        at(refLogprob),
        at(advantage),
        at(weight),
        o.level === "sequence" && sequences !== null ? at(sequences) : 0,
        kind,
        p0,
        p1,
        p2,
        p3,
        o.logRatioClamp,
        o.beta,
        ESTIMATOR_NUMBERS[o.klEstimator],
        o.klExponentClamp,
        o.klValueClamp,
        at(dLogprob),
        at(stats),
      );
      return { dLogprob, stats };
    },
  };
}

/** Kind and numbers as assembly/policyLoss.ts takes them. */
function surrogateArguments(s: SurrogateOptions): readonly [kind: number, number, number, number?, number?] {
  switch (s.kind) {
    case "clip":
      return [0, s.clipLow, s.clipHigh, s.ratioMax, s.dualClip];
    case "cispo":
      return [1, s.ratioLow, s.ratioHigh];
    case "sapo":
      return [2, s.tauPositive, s.tauNegative];
    default:
      return s satisfies never;
  }
}
