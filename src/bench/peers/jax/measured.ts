/** Time and GPU calls of units of work in jax-js. */
import { timed } from "../../clock";
import type { Run } from "../../contender";
import type { GpuCalls } from "../gpuCalls";

/** Time and GPU calls of `units` times `work`. */
export async function measured(calls: GpuCalls | null, units: number, work: () => Promise<unknown>): Promise<Run> {
  const before = calls === null ? null : { ...calls };
  const { milliseconds, hostMilliseconds } = await timed(units, work);
  const counts =
    calls === null || before === null
      ? {}
      : {
          dispatches: calls.dispatches - before.dispatches,
          submits: calls.submits - before.submits,
          readbacks: calls.readbacks - before.readbacks,
          bytesUploaded: calls.bytesUploaded - before.bytesUploaded,
        };
  return { milliseconds, hostMilliseconds: calls === null ? null : hostMilliseconds, counts };
}
