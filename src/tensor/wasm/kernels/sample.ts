/** The sampler of the wasm backend. */
import type { Kernels } from "../../kernels";
import { suppressedIn } from "../../suppressedTokens";
import { expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

export function sampleKernels(memory: WasmMemory): Pick<Kernels, "sample"> {
  const { exports: wasm, address: at } = memory;

  return {
    sample(logits, buffers, o) {
      const [rows, v] = matrixOf("sample", "logits", logits);
      const capacity = buffers.tokens.shape[1] ?? 0;
      expectShape("sample", "tokens", buffers.tokens, [rows, capacity], "int32");
      expectShape("sample", "logprobs", buffers.logprobs, [rows, capacity]);
      expectShape("sample", "entropies", buffers.entropies, [rows, capacity]);
      expectShape("sample", "allowed", buffers.allowed, [rows, capacity]);
      expectShape("sample", "next", buffers.next, [rows], "int32");
      expectShape("sample", "done", buffers.done, [rows], "int32");
      expectShape("sample", "streams", buffers.streams, [rows, 2], "int32");
      if (!(o.temperature > 0))
        throw new Error(
          `sample: temperature is ${o.temperature}, expected a positive number (use greedy for the arg-max)`,
        );
      if (!(o.position >= 0 && o.position < capacity))
        throw new Error(`sample: position ${o.position} lies outside the ${capacity} columns of the buffers`);
      const suppressed = suppressedIn(v, o.suppressTokens);
      const ids = [...o.stopTokens, ...suppressed];
      const stops = memory.scratch(4 * (ids.length + 2 * (v + 4)));
      memory.scratchIntegers(ids, stops);
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
        at(buffers.allowed),
        capacity,
        o.temperature,
        o.greedy ? 1 : 0,
        o.topK,
        o.seed,
        o.step,
        o.position,
        stops,
        o.stopTokens.length,
        stops + 4 * o.stopTokens.length,
        suppressed.length,
        o.padToken,
        stops + 4 * ids.length,
      );
    },
  };
}
