/** The matmul variant on the page: `?matmul=NAME` in its address, and the store of the tuner's result. */
import { MATMUL_OPTIONS, type MatmulOption } from "../tensor/webgpu/kernels/matmul/choice";
import type { TuningStore } from "../tensor/webgpu/kernels/matmul/tuningRecord";
import type { SnapshotStore } from "./store";

/** @param address of the page. → null without `?matmul`. @throws Error for an unknown variant */
export function requestedMatmul(address: string): MatmulOption | null {
  const named = new URL(address).searchParams.get("matmul");
  if (named === null) return null;
  const found = MATMUL_OPTIONS.find((name) => name === named);
  if (found === undefined)
    throw new Error(`Unknown matmul variant "${named}" in the address; expected one of ${MATMUL_OPTIONS.join(", ")}.`);
  return found;
}

const KEY = "matmul";

/** The tuner's record, in the store of the snapshots. */
export function tuningStore(store: SnapshotStore): TuningStore {
  return {
    async read() {
      const bytes = await store.get(KEY);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    write: (text) => store.put(KEY, new TextEncoder().encode(text)),
  };
}
