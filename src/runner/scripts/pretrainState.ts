/**
 * The resumable state of a pre-training run as a safetensors file: three flat buffers, the step, and the run's options.
 */
import { Safetensors } from "../../policy/checkpoint/safetensors";
import { readFloat32 } from "../../policy/checkpoint/safetensorsValues";
import { writeSafetensors } from "../../policy/checkpoint/safetensorsWriter";
import type { ParameterState } from "../../tensor/parameters";
import type { PretrainingOptions } from "../../training/pretraining";
import { UsageError } from "../arguments/usage";

const FILE = "state.safetensors";
const BUFFERS = ["theta", "m", "v"] as const;

export function packTrainingState(step: number, state: ParameterState, options: PretrainingOptions): Uint8Array {
  const tensors = BUFFERS.map((name) => ({ name, shape: [state[name].length], values: state[name] }));
  return writeSafetensors(tensors, { step: String(step), options: JSON.stringify(options) });
}

/** @throws UsageError when the run has other options; SafetensorsError when the file is damaged */
export function unpackTrainingState(
  bytes: Uint8Array,
  options: PretrainingOptions,
): { readonly step: number; readonly state: ParameterState } {
  const file = Safetensors.open(bytes, FILE);
  const { step, options: saved } = file.header.metadata;
  if (saved !== JSON.stringify(options)) {
    throw new UsageError(
      `--run contains a run with other options (${saved}): choose another --run, or delete this one to start over`,
    );
  }
  return {
    step: Number(step),
    state: { theta: readFloat32(file, "theta"), m: readFloat32(file, "m"), v: readFloat32(file, "v") },
  };
}
