/**
 * The weights of a checkpoint, streamed from the folder to the device: read in pieces of whole rows, packed on the way
 * if the parameters are packed, written in place. Host memory holds one piece in its three forms (as on disk, float32,
 * packed), plus what the device has not yet consumed; the loader waits for it every `IN_FLIGHT_BYTES`.
 */
import type { Backend } from "../tensor/backend";
import type { Checkpoint } from "./checkpoint/checkpoint";

/**
 * Float32 bytes written to the device before waiting for it: its driver keeps a copy of each write until it is done.
 */
const IN_FLIGHT_BYTES = 128 * 2 ** 20;

/** Destination of rows: a `ParameterSet`, or a counter. */
export interface WeightSink {
  readonly backend: Backend;
  writeRows(name: string, firstRow: number, values: Float32Array): void;
}

/** Elements loaded out of the total. */
export type OnLoaded = (done: number, total: number) => void;

/** @throws CheckpointError or SafetensorsError naming file and tensor; the parameters are then incomplete */
export async function loadWeights(
  sink: WeightSink,
  checkpoint: Checkpoint,
  onLoaded: OnLoaded = () => undefined,
): Promise<void> {
  const { backend } = sink;
  const names = checkpoint.names();
  const total = names.reduce(
    (sum, name) => sum + checkpoint.entry(name).shape.reduce((product, n) => product * n, 1),
    0,
  );
  const marker = backend.zeros([1]);
  let inFlight = 0;
  let done = 0;
  try {
    for (const name of names) {
      for await (const { firstRow, values } of checkpoint.pieces(name)) {
        sink.writeRows(name, firstRow, values);
        done += values.length;
        inFlight += values.byteLength;
        if (inFlight < IN_FLIGHT_BYTES) continue;
        await backend.read([marker]); // a read-back returns when everything before it has been done
        inFlight = 0;
        onLoaded(done, total);
      }
    }
    await backend.read([marker]);
    onLoaded(done, total);
  } finally {
    marker.dispose();
  }
}
