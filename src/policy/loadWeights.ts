/**
 * The weights of a checkpoint, streamed from the folder to the device: read in pieces of whole rows, packed on the way
 * if the parameters are packed, written in place. Host memory holds one piece in its three forms (as on disk, float32,
 * packed), plus what the device has not yet consumed; the loader waits for it every `IN_FLIGHT_BYTES`.
 */
import type { Backend } from "../tensor/backend";
import { addUpdate, type Update } from "./adapter/update";
import type { Checkpoint } from "./checkpoint/checkpoint";
import { FiniteCheck } from "./checkpoint/finite";

/**
 * Float32 bytes written to the device before waiting for it: its driver keeps a copy of each write until it is done.
 */
const IN_FLIGHT_BYTES = 128 * 2 ** 20;

/** Destination of rows: a `ParameterSet`, or a counter. */
export interface WeightSink {
  readonly backend: Backend;
  writeRows(name: string, firstRow: number, values: Float32Array): void;
  /** The largest magnitude that a tensor's storage holds; without it, any. */
  largestValue?(name: string): number;
}

/** Elements loaded out of the total. */
export type OnLoaded = (done: number, total: number) => void;

export interface WeightOptions {
  readonly onLoaded?: OnLoaded | undefined;
  /** Load NaN and infinity as they are instead of refusing the tensor that holds them. Default false. */
  readonly allowNonFinite?: boolean | undefined;
  /** Added to matrices on the way, by canonical name. */
  readonly updates?: ReadonlyMap<string, Update>;
}

/** @throws CheckpointError or SafetensorsError naming file and tensor; the parameters are then incomplete */
export async function loadWeights(
  sink: WeightSink,
  checkpoint: Checkpoint,
  { onLoaded = () => undefined, allowNonFinite = false, updates = new Map() }: WeightOptions = {},
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
      const { shape } = checkpoint.entry(name);
      const columns = shape.slice(1).reduce((product, n) => product * n, 1);
      const check = new FiniteCheck(checkpoint.where(name), shape, sink.largestValue?.(name));
      const update = updates.get(name);
      for await (const { firstRow, values: stored } of checkpoint.pieces(name)) {
        if (!allowNonFinite) check.see(stored, firstRow * columns);
        const values = update === undefined ? stored : Float32Array.from(stored);
        if (update !== undefined) addUpdate(values, columns, firstRow, update);
        sink.writeRows(name, firstRow, values);
        done += values.length;
        inFlight += values.byteLength;
        if (inFlight < IN_FLIGHT_BYTES) continue;
        await backend.read([marker]); // a read-back returns when everything before it has been done
        inFlight = 0;
        onLoaded(done, total);
      }
      check.end();
    }
    await backend.read([marker]);
    onLoaded(done, total);
  } finally {
    marker.dispose();
  }
}
