/** Token embedding of the wasm backend: table rows, or feature rows for ids below 0, and their gradients. */
import type { Kernels, Weight } from "../../kernels";
import { expectShape, expectWeight, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";
import { weightAddresses } from "../panels";

export function embeddingKernels(memory: WasmMemory): Pick<Kernels, "embedding" | "embeddingGrad"> {
  const { exports: wasm, address: at } = memory;
  const addresses = (weight: Weight) => weightAddresses(memory, weight);

  return {
    embedding(table, features, ids) {
      expectWeight("embedding", "table", table, table.in);
      expectShape("embedding", "ids", ids, [-1], "int32");
      if (features) expectShape("embedding", "features", features, [-1, table.in]);
      if (!wasm.idsWithin(ids.size, at(ids), table.out, features?.shape[0] ?? 0)) {
        throw new Error(`embedding: ids hold a value outside [${-(features?.shape[0] ?? 0)}, ${table.out})`);
      }
      const out = memory.allocate([ids.size, table.in]);
      wasm.embedding(ids.size, table.in, at(ids), ...addresses(table), at(features), at(out));
      return out;
    },

    embeddingGrad(dy, ids, intoTable, intoFeatures) {
      const [n, d] = matrixOf("embeddingGrad", "dy", dy);
      expectShape("embeddingGrad", "ids", ids, [n], "int32");
      if (intoTable) expectShape("embeddingGrad", "intoTable", intoTable, [-1, d]);
      if (intoFeatures) expectShape("embeddingGrad", "intoFeatures", intoFeatures, [-1, d]);
      const largest = 2 ** 31 - 1;
      if (!wasm.idsWithin(n, at(ids), intoTable?.shape[0] ?? largest, intoFeatures?.shape[0] ?? largest)) {
        throw new Error(
          `embeddingGrad: ids hold a value outside the table [${intoTable?.shape}] or the features ` +
            `[${intoFeatures?.shape}]`,
        );
      }
      wasm.embeddingGrad(n, d, at(ids), at(dy), at(intoTable), at(intoFeatures));
    },
  };
}
