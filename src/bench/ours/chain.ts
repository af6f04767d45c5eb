/**
 * A sum of many terms, one small dispatch each: what a dispatch costs the calling thread, recorded each time or
 * replayed.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { TERM } from "../workload";
import { measured } from "./measured";

export async function openChain(backend: Backend, { length, replayed }: JobOf<"chain">): Promise<Contender> {
  const term = backend.upload(TERM, [TERM.length]);
  const recorder = backend.recorder(1);
  const sum = (): Tensor[] => {
    let total = backend.kernels.add(term, term);
    for (let i = 1; i < length; i++) {
      const next = backend.kernels.add(total, term);
      total.dispose();
      total = next;
    }
    return [total];
  };
  const once = async (): Promise<readonly number[]> => {
    const [total] = replayed ? recorder.run("sum", [term], {}, sum) : sum();
    if (total === undefined) throw new Error("The recorded sum gave no tensor.");
    const reading = backend.read([total]);
    total.dispose();
    const [values] = await reading;
    return [...(values ?? [])];
  };
  return {
    check: once,
    run: (units) => measured(backend, units, once),
    async close() {
      recorder.dispose();
      term.dispose();
    },
  };
}
