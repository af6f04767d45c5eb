/** Time and counters of units of work on our backend. */
import type { Backend } from "../../tensor/backend";
import { timed } from "../clock";
import type { Run } from "../contender";

/** Time and counters of `units` times `work`. */
export async function measured(backend: Backend, units: number, work: () => Promise<unknown>): Promise<Run> {
  const before = { ...backend.counters };
  const { milliseconds, hostMilliseconds } = await timed(units, work);
  const { dispatches, submits, readbacks, bytesUploaded, bytesRead } = backend.counters;
  return {
    milliseconds,
    hostMilliseconds: backend.name === "webgpu" ? hostMilliseconds : null,
    counts: {
      dispatches: dispatches - before.dispatches,
      submits: submits - before.submits,
      readbacks: readbacks - before.readbacks,
      bytesUploaded: bytesUploaded - before.bytesUploaded,
      bytesRead: bytesRead - before.bytesRead,
      bytesHeld: backend.memoryBytes(),
    },
  };
}
