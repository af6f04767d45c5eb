/** Reference embedding: rows gathered from table and features, with the gradient by tfjs' autodiff. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { accumulate, integers } from "../cpuMemory";
import { plainWeight } from "../plainWeight";
import { expectShape, sizeOf } from "../shapes";

/** Rows of table and features stacked; id ≥ 0 is a table row, −1−k is feature row k. */
function lookUp(table: tf.Tensor, features: tf.Tensor | null, ids: tf.Tensor): tf.Tensor {
  const rows = sizeOf(table, 0);
  const stacked = features ? tf.concat([table, features], 0) : table;
  const index = Array.from(integers(ids), (id) => (id >= 0 ? id : rows - 1 - id));
  const worst = Math.max(...index);
  if (worst >= sizeOf(stacked, 0))
    throw new Error(
      `embedding: ids reach row ${worst} of a table and features of ${sizeOf(stacked, 0)} rows together.`,
    );
  return tf.gather(stacked, tf.tensor1d(index, "int32"), 0);
}

export const embeddingKernels: Pick<Kernels, "embedding" | "embeddingGrad"> = {
  embedding(table, features, ids) {
    expectShape("embedding", "features", features, [null, table.in]);
    return lookUp(plainWeight("embedding", table), features, ids);
  },

  embeddingGrad(dy, ids, intoTable, intoFeatures) {
    const width = sizeOf(dy, 1);
    expectShape("embeddingGrad", "dy", dy, [sizeOf(ids, 0), width]);
    expectShape("embeddingGrad", "intoTable", intoTable, [null, width]);
    expectShape("embeddingGrad", "intoFeatures", intoFeatures, [null, width]);
    // The map is linear, so its gradient may be taken at zero; an absent target still needs rows to stand for it.
    const values = Array.from(integers(ids));
    const tableRows = intoTable ? sizeOf(intoTable, 0) : Math.max(0, ...values) + 1;
    const featureRows = intoFeatures ? sizeOf(intoFeatures, 0) : Math.max(0, ...values.map((id) => -1 - id)) + 1;
    const [dTable, dFeatures] = tf.grads((table, features) => lookUp(table!, features!, ids))(
      [tf.zeros([tableRows, width]), tf.zeros([featureRows, width])],
      dy,
    );
    accumulate(intoTable, dTable!);
    accumulate(intoFeatures, dFeatures!);
  },
};
