/**
 * The rows of a decode loop: which responses are still being written, where their keys and values lie, their rotary
 * angles for every step to come, and the buffers the sampler fills. Rows that have finished are left behind by going
 * on with fewer rows: keys and values stay where they are, only the small tables are made anew.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home } from "../tensor/home";
import type { SampleBuffers } from "../tensor/kernels";
import type { RopeTables } from "../tensor/ops/attention";
import { writeAngles, type MropeFrequencies } from "./mrope";
import type { EncodedPrompt } from "./packing";

/** One response of the rollout. */
export interface DecodeRow {
  /** Row of the rollout, prompt-major. */
  readonly row: number;
  /** Row part of the random counter. */
  readonly id: number;
  /** Cache rows of its prompt. */
  readonly promptStart: number;
  readonly promptEnd: number;
  /** First row of its own region of the cache. */
  readonly cacheRow: number;
  /** M-RoPE position of its first input, the prompt's last token. */
  readonly firstPosition: number;
}

/** Lay out all responses: cache rows 0… hold the prompts, then come `maxNewTokens` rows for each response. */
export function decodeRows(prompts: readonly EncodedPrompt[], groupSize: number, maxNewTokens: number, rowIds: Int32Array | null): DecodeRow[] {
  const promptRows = prompts.reduce((sum, prompt) => sum + prompt.ids.length - 1, 0);
  let promptStart = 0;
  return prompts.flatMap((prompt, p) => {
    const start = promptStart;
    promptStart += prompt.ids.length - 1;
    return Array.from({ length: groupSize }, (_, i) => {
      const row = p * groupSize + i;
      return {
        row, id: rowIds?.[row] ?? row, promptStart: start, promptEnd: start + prompt.ids.length - 1,
        cacheRow: promptRows + row * maxNewTokens, firstPosition: prompt.ids.length - 1 + prompt.positions.delta,
      };
    });
  });
}

/** A stretch of decode steps over the same rows. */
export interface DecodeStretch {
  readonly rows: readonly DecodeRow[];
  readonly firstStep: number;
  readonly buffers: SampleBuffers;
  /** Cache row of each row's first input [R]. */
  readonly cacheRows: Tensor;
  /** Cache rows seen at step 0 [R, 4]. */
  readonly visible: Tensor;
  /** Rotary angles of all steps to come [steps·R, headDim/2], step by step. */
  readonly angles: RopeTables;
  /** Row of `angles` at which step t begins. */
  angleRow(t: number): number;
  /** All of the stretch's tensors, in a fixed order. */
  readonly tensors: readonly Tensor[];
  dispose(): void;
}

/** @param next the token each row feeds at `firstStep` */
export function openStretch(home: Home, frequencies: MropeFrequencies, rows: readonly DecodeRow[], next: Int32Array, firstStep: number, maxNewTokens: number): DecodeStretch {
  const count = rows.length;
  const tensors: Tensor[] = [];
  const hold = (tensor: Tensor): Tensor => {
    tensors.push(tensor);
    return tensor;
  };
  const upload = (values: readonly number[]): Tensor => hold(home.upload(Int32Array.from(values), [count]));
  const angles = angleTable(home, frequencies, rows, firstStep, maxNewTokens);
  hold(angles.cos);
  hold(angles.sin);
  const visible = Int32Array.from(rows.flatMap((row) => [row.promptStart, row.promptEnd, row.cacheRow, row.cacheRow + 1]));
  return {
    rows,
    firstStep,
    buffers: {
      tokens: hold(home.zeros([count, maxNewTokens], "int32")),
      logprobs: hold(home.zeros([count, maxNewTokens])),
      entropies: hold(home.zeros([count, maxNewTokens])),
      next: hold(home.upload(next, [count])),
      done: hold(home.zeros([count], "int32")),
      rowIds: upload(rows.map((row) => row.id)),
    },
    cacheRows: upload(rows.map((row) => row.cacheRow)),
    visible: hold(home.upload(visible, [count, 4])),
    angles,
    angleRow: (t) => (t - firstStep) * count,
    tensors,
    dispose: () => tensors.forEach((tensor) => tensor.dispose()),
  };
}

/** cos and sin of all steps to come. */
function angleTable(home: Home, frequencies: MropeFrequencies, rows: readonly DecodeRow[], firstStep: number, maxNewTokens: number): RopeTables {
  const half = frequencies.inverse.length;
  const steps = maxNewTokens - firstStep;
  // Rows share positions: each angle is computed once.
  const lowest = Math.min(...rows.map((row) => row.firstPosition)) + firstStep;
  const span = Math.max(...rows.map((row) => row.firstPosition)) + maxNewTokens - lowest;
  const cosAt = new Float32Array(span * half);
  const sinAt = new Float32Array(span * half);
  for (let i = 0; i < span; i++) writeAngles(frequencies, [lowest + i, lowest + i, lowest + i], cosAt, sinAt, i * half);
  const cos = new Float32Array(steps * rows.length * half);
  const sin = new Float32Array(steps * rows.length * half);
  let at = 0;
  for (let step = 0; step < steps; step++) {
    for (const row of rows) {
      const from = (row.firstPosition + firstStep + step - lowest) * half;
      cos.set(cosAt.subarray(from, from + half), at);
      sin.set(sinAt.subarray(from, from + half), at);
      at += half;
    }
  }
  const shape = [steps * rows.length, half];
  return { cos: home.upload(cos, shape), sin: home.upload(sin, shape) };
}
