/** A sum of many terms, one small dispatch each: what a dispatch costs the calling thread, recorded anew or replayed. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home } from "../../tensor/home";
import type { Contender, JobOf } from "../contender";
import { TERM } from "../workload";
import { measured } from "./party";

export async function openChain(home: Home, { length, replayed }: JobOf<"chain">): Promise<Contender> {
  const term = home.upload(TERM, [TERM.length]);
  const recorder = home.recorder(1);
  const sum = (): Tensor[] => {
    let total = home.kernels.add(term, term);
    for (let i = 1; i < length; i++) {
      const next = home.kernels.add(total, term);
      total.dispose();
      total = next;
    }
    return [total];
  };
  const once = async (): Promise<readonly number[]> => {
    const [total] = replayed ? recorder.run("sum", [term], {}, sum) : sum();
    if (total === undefined) throw new Error("The recorded sum gave no tensor.");
    const reading = home.read([total]);
    total.dispose();
    const [values] = await reading;
    return [...(values ?? [])];
  };
  return {
    check: once,
    run: (units) => measured(home, units, once),
    async close() {
      recorder.dispose();
      term.dispose();
    },
  };
}
