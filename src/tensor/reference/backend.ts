/**
 * The reference backend: every kernel a composition of stock tf.* operations on tfjs-backend-cpu, every gradient by
 * tfjs' own autodiff of that composition, so it shares no hand-written derivation with the fast backends. Written to be
 * read rather than to be fast: the others are checked against it, and it is the page's last resort.
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { Backend, BackendCounters, DataType } from "../backend";
import { directRecorder } from "../directRecorder";
import type { Kernels } from "../kernels";
import { registerAutodiff } from "./autodiff";
import { elements, onCpu, tensorOver } from "./cpuMemory";
import { referenceKernels } from "./kernels";

/** Run one kernel on the cpu backend, count it, and free every intermediate it made. */
function runner(counters: BackendCounters) {
  // biome-ignore lint/suspicious/noConfusingVoidType: a kernel that writes in place returns nothing.
  return <R extends tf.TensorContainer | void>(kernel: () => R): R => {
    counters.dispatches++;
    return onCpu(() => {
      const engine = tf.engine();
      engine.startScope("reference");
      try {
        const result = kernel();
        engine.endScope(result ?? undefined);
        return result;
      } catch (error) {
        engine.endScope();
        throw error;
      }
    });
  };
}

function wrapped(counters: BackendCounters): Kernels {
  const run = runner(counters);
  const c = referenceKernels;
  return {
    embedding: (...a) => run(() => c.embedding(...a)),
    embeddingGrad: (...a) => run(() => c.embeddingGrad(...a)),
    rmsNorm: (...a) => run(() => c.rmsNorm(...a)),
    rmsNormGrad: (...a) => run(() => c.rmsNormGrad(...a)),
    linear: (...a) => run(() => c.linear(...a)),
    linearGradInput: (...a) => run(() => c.linearGradInput(...a)),
    linearGradWeight: (...a) => run(() => c.linearGradWeight(...a)),
    loraApply: (...a) => run(() => c.loraApply(...a)),
    loraApplyGrad: (...a) => run(() => c.loraApplyGrad(...a)),
    rope: (...a) => run(() => c.rope(...a)),
    attention: (...a) => run(() => c.attention(...a)),
    attentionGrad: (...a) => run(() => c.attentionGrad(...a)),
    copyRows: (...a) => run(() => c.copyRows(...a)),
    ropeToCache: (...a) => run(() => c.ropeToCache(...a)),
    swiglu: (...a) => run(() => c.swiglu(...a)),
    swigluGrad: (...a) => run(() => c.swigluGrad(...a)),
    gelu: (...a) => run(() => c.gelu(...a)),
    geluGrad: (...a) => run(() => c.geluGrad(...a)),
    add: (...a) => run(() => c.add(...a)),
    fill: (...a) => run(() => c.fill(...a)),
    tokenLogprobs: (...a) => run(() => c.tokenLogprobs(...a)),
    tokenLogprobsGrad: (...a) => run(() => c.tokenLogprobsGrad(...a)),
    policyLoss: (...a) => run(() => c.policyLoss(...a)),
    sample: (...a) => run(() => c.sample(...a)),
    sumSquares: (...a) => run(() => c.sumSquares(...a)),
    adamw: (...a) => run(() => c.adamw(...a)),
  };
}

const sizeFromShape = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/**
 * Open the reference backend. It leaves the active tfjs backend as it finds it (or active, if it is the first).
 * Several may be open at once; they share the cpu backend and differ in their counters.
 */
export async function openReferenceBackend(): Promise<Backend> {
  const previous = tf.getBackend();
  await tf.setBackend("cpu"); // the instance must exist before `onCpu` can switch without waiting
  if (previous && previous !== "cpu") await tf.setBackend(previous);
  registerAutodiff();
  const counters: BackendCounters = { dispatches: 0, submits: 0, readbacks: 0, bytesUploaded: 0, bytesRead: 0 };
  const views = new Set<tf.Tensor>();
  const forgetDisposed = (): void => views.forEach((view) => view.isDisposed && views.delete(view));
  return {
    name: "reference",
    description: { name: "reference", adapter: "plain TensorFlow.js", features: [] },
    kernels: wrapped(counters),
    counters,
    viewAlignment: 1,
    records: false,
    recorder: () => directRecorder,

    zeros(shape, dtype: DataType = "float32") {
      const size = sizeFromShape(shape);
      return tensorOver(dtype === "float32" ? new Float32Array(size) : new Int32Array(size), shape);
    },

    upload(values, shape) {
      if (values.length !== sizeFromShape(shape))
        throw new Error(`upload: ${values.length} values do not fill the shape [${shape.join(", ")}].`);
      counters.bytesUploaded += values.byteLength;
      return tensorOver(values.slice(), shape);
    },

    write(tensor, values, offset = 0) {
      const target = elements(tensor);
      if (offset < 0 || offset + values.length > target.length) {
        throw new Error(
          `write: ${values.length} values at offset ${offset} do not fit a tensor of shape ` +
            `[${tensor.shape.join(", ")}].`,
        );
      }
      counters.bytesUploaded += values.byteLength;
      target.set(values, offset);
    },

    view(flat, offset, shape) {
      const values = elements(flat);
      const end = offset + sizeFromShape(shape);
      if (offset < 0 || end > values.length)
        throw new Error(`view: elements [${offset}, ${end}) lie outside a tensor of ${values.length} elements.`);
      const view = tensorOver(values.subarray(offset, end), shape);
      if (views.size >= 4096) forgetDisposed();
      views.add(view);
      return view;
    },

    async read(tensors) {
      counters.readbacks++;
      return tensors.map((tensor) => {
        const values = elements(tensor).slice();
        counters.bytesRead += values.byteLength;
        return values;
      });
    },

    flush() {
      counters.submits++;
    },

    /** Live tensors of the whole tfjs engine, without views; other backends open in the process count too. */
    memoryBytes() {
      forgetDisposed();
      let viewed = 0;
      for (const view of views) viewed += view.size * 4;
      return tf.memory().numBytes - viewed;
    },

    lost: new Promise(() => {}), // there is no device to lose

    /** Nothing to destroy: unreferenced tensors are garbage-collected like any array. */
    async dispose() {
      views.clear();
    },
  };
}
