/** The sum of many terms by tf.add, which makes a dispatch each. */
import * as tf from "@tensorflow/tfjs-core";
import { added } from "../../ours/chain";
import type { Contender, JobOf, Run } from "../../contender";
import { TERM } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { measured } from "./party";

export function openChain(opened: OpenedTfjs, { length }: JobOf<"chain">): Contender {
  const term = tf.tensor(TERM, [TERM.length]);
  const once = async (): Promise<readonly number[]> => {
    let total: tf.Tensor = tf.add(term, term);
    for (let i = 1; i < length; i++) {
      const next = tf.add(total, term);
      total.dispose();
      total = next;
    }
    const reading = total.data();
    const values = [...await reading];
    total.dispose();
    return values;
  };
  return {
    check: once,
    async run(units) {
      const runs: Run[] = [];
      for (let i = 0; i < units; i++) runs.push(await measured(opened, 1, once));
      return added(runs);
    },
    async close() {
      term.dispose();
    },
  };
}
