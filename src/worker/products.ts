/** The page's part in choosing variants of the matrix product: `?products=NAME` in its address, and where the tuner's choice is kept. */
import { PRODUCTS_OPTIONS, type ProductsOption } from "../tensor/webgpu/kernels/products/choice";
import type { TuningStore } from "../tensor/webgpu/kernels/products/tuningRecord";
import type { SnapshotStore } from "./store";

/** @param address of the page. → null where it asks for nothing. @throws Error when it asks for what there is not */
export function productsAsked(address: string): ProductsOption | null {
  const asked = new URL(address).searchParams.get("products");
  if (asked === null) return null;
  const found = PRODUCTS_OPTIONS.find((name) => name === asked);
  if (found === undefined)
    throw new Error(`The address asks for products="${asked}"; expected one of ${PRODUCTS_OPTIONS.join(", ")}.`);
  return found;
}

const KEY = "products";

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
