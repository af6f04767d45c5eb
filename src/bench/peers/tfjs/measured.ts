/** Time and GPU calls of units of work in stock TensorFlow.js. */
import * as tf from "@tensorflow/tfjs";
import { timed } from "../../clock";
import type { Run } from "../../contender";
import type { OpenedTfjs } from "./backend";

/** Time and GPU calls of `units` times `work`. */
export async function measured({ calls }: OpenedTfjs, units: number, work: () => Promise<unknown>): Promise<Run> {
  const before = { ...calls };
  const { milliseconds, hostMilliseconds } = await timed(units, work);
  const counts = Object.fromEntries(
    Object.entries(calls ?? {}).map(([name, count]) => [name, count - (Reflect.get(before, name) as number)]),
  );
  return {
    milliseconds,
    hostMilliseconds: calls === null ? null : hostMilliseconds,
    counts: { ...counts, bytesHeld: tf.memory().numBytes },
  };
}
