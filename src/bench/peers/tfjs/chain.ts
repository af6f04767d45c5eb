/** The sum of many terms by tf.add, one dispatch each. */
import * as tf from "@tensorflow/tfjs";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { TERM } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { measured } from "./measured";

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
    const values = [...(await reading)];
    total.dispose();
    return values;
  };
  return {
    check: once,
    run: (units) => measured(opened, units, once),
    async close() {
      term.dispose();
    },
  };
}
