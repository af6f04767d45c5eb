/**
 * Memory of tfjs-backend-cpu: every tensor is one typed array. In-place kernels write into that array; a view is a
 * tensor over a subarray of it.
 *
 * tfjs has one active backend per process. Other backends may be open beside the reference, so all reference work runs
 * inside `onCpu`, which restores the previously active backend afterwards.
 */

import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** Run `work` with the cpu backend active. Switching is synchronous once the backend instance exists. */
export function onCpu<T>(work: () => T): T {
  const previous = tf.getBackend();
  if (previous === "cpu") return work();
  void tf.setBackend("cpu");
  try {
    return work();
  } finally {
    if (previous) void tf.setBackend(previous);
  }
}

function cpuBackend(): MathBackendCPU {
  const backend: unknown = tf.findBackend("cpu");
  if (!(backend instanceof MathBackendCPU))
    throw new Error("The cpu backend of TensorFlow.js is not registered; open the reference backend first.");
  return backend;
}

/** The tensor's own elements (no copy): writing to them writes the tensor. */
export function elements(tensor: tf.Tensor): Float32Array | Int32Array {
  if (tensor.isDisposed)
    throw new Error(`A tensor of shape [${tensor.shape.join(", ")}] was used after it was disposed.`);
  const values = cpuBackend().data.get(tensor.dataId).values;
  if (values instanceof Float32Array || values instanceof Int32Array) return values;
  throw new Error(`Expected a float32 or int32 tensor, got ${tensor.dtype} of shape [${tensor.shape.join(", ")}].`);
}

/** A float32 tensor's own elements. */
export function floats(tensor: tf.Tensor): Float32Array {
  const values = elements(tensor);
  if (values instanceof Float32Array) return values;
  throw new Error(`Expected a float32 tensor, got ${tensor.dtype} of shape [${tensor.shape.join(", ")}].`);
}

/** An int32 tensor's own elements. */
export function integers(tensor: tf.Tensor): Int32Array {
  const values = elements(tensor);
  if (values instanceof Int32Array) return values;
  throw new Error(`Expected an int32 tensor, got ${tensor.dtype} of shape [${tensor.shape.join(", ")}].`);
}

/** A tensor over exactly these elements (no copy): tfjs keeps typed arrays of the right kind as they are. */
export function tensorOver(values: Float32Array | Int32Array, shape: readonly number[]): tf.Tensor {
  return onCpu(() => tf.tensor(values, [...shape], values instanceof Float32Array ? "float32" : "int32"));
}

/** into := value, element by element. */
export function overwrite(into: tf.Tensor, value: tf.Tensor): void {
  elements(into).set(elements(value));
}

/** into += value, element by element; nothing if there is no target. */
export function accumulate(into: tf.Tensor | null, value: tf.Tensor): void {
  if (!into) return;
  const target = floats(into);
  const added = floats(value);
  for (let i = 0; i < target.length; i++) target[i] = target[i]! + added[i]!;
}
