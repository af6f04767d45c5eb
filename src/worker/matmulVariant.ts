/**
 * The page's part in choosing variants of the matrix product: `?matmul=NAME` in its address, and where the tuner's
 * choice is kept.
 */
import { MATMUL_OPTIONS, type MatmulOption } from "../tensor/webgpu/kernels/matmul/choice";
import type { TuningStore } from "../tensor/webgpu/kernels/matmul/tuningRecord";
import type { SnapshotStore } from "./store";

/** @param address of the page. → null where it asks for nothing. @throws Error when it asks for what there is not */
export function requestedMatmul(address: string): MatmulOption | null {
  const asked = new URL(address).searchParams.get("matmul");
  if (asked === null) return null;
  const found = MATMUL_OPTIONS.find((name) => name === asked);
  if (found === undefined)
    throw new Error(`The address asks for matmul="${asked}"; expected one of ${MATMUL_OPTIONS.join(", ")}.`);
  return found;
}

const KEY = "matmul";

/** The tuner's record beside the snapshots. */
export function tuningStore(store: SnapshotStore): TuningStore {
  return {
    async read() {
      const bytes = await store.get(KEY);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    write: (text) => store.put(KEY, new TextEncoder().encode(text)),
  };
}
