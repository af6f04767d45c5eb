/** What the self-test expects: the kernels' definitions (kernels.ts) as plain loops in double precision. */
import type { AdamWOptions } from "./kernels";
import { randomUniform } from "./random";

type Values = Float32Array | readonly number[];

const at = (values: Values, i: number): number => values[i] ?? NaN;

function table(rows: number, columns: number, value: (row: number, column: number) => number): number[] {
  return Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

export function linear(x: Values, w: Values, b: Values, rows: number, inputs: number, outputs: number): number[] {
  return table(rows, outputs, (n, o) => at(b, o) + sum(inputs, (i) => at(x, n * inputs + i) * at(w, o * inputs + i)));
}

export function linearGradInput(dy: Values, w: Values, rows: number, inputs: number, outputs: number): number[] {
  return table(rows, inputs, (n, i) => sum(outputs, (o) => at(dy, n * outputs + o) * at(w, o * inputs + i)));
}

export function linearGradWeight(x: Values, dy: Values, rows: number, inputs: number, outputs: number): number[] {
  return table(outputs, inputs, (o, i) => sum(rows, (n) => at(dy, n * outputs + o) * at(x, n * inputs + i)));
}

export function rmsNorm(
  x: Values,
  w: Values,
  dy: Values,
  rows: number,
  width: number,
  eps: number,
): { y: number[]; dx: number[]; dw: number[] } {
  const scales = Array.from(
    { length: rows },
    (_, n) => 1 / Math.sqrt(sum(width, (d) => at(x, n * width + d) ** 2) / width + eps),
  );
  const pulls = scales.map(
    (scale, n) => (sum(width, (d) => at(x, n * width + d) * at(dy, n * width + d) * at(w, d)) / width) * scale ** 3,
  );
  return {
    y: table(rows, width, (n, d) => at(x, n * width + d) * at(scales, n) * at(w, d)),
    dx: table(
      rows,
      width,
      (n, d) => at(dy, n * width + d) * at(w, d) * at(scales, n) - at(x, n * width + d) * at(pulls, n),
    ),
    dw: table(1, width, (_, d) => sum(rows, (n) => at(dy, n * width + d) * at(x, n * width + d) * at(scales, n))),
  };
}

/** qkv [rows, 4·headDim]: two query heads, one key head, one value head; dOut [rows, 2·headDim]. */
export function causalAttention(
  qkv: Values,
  dOut: Values,
  rows: number,
  headDim: number,
): { out: number[]; dQkv: number[] } {
  const columns = 4 * headDim;
  const out = Array<number>(rows * 2 * headDim).fill(0);
  const dQkv = Array<number>(rows * columns).fill(0);
  const add = (index: number, value: number): void => {
    dQkv[index] = at(dQkv, index) + value;
  };
  for (let n = 0; n < rows; n++) {
    for (let h = 0; h < 2; h++) {
      const query = n * columns + h * headDim;
      const own = (n * 2 + h) * headDim;
      const key = (j: number): number => j * columns + 2 * headDim;
      const value = (j: number): number => j * columns + 3 * headDim;
      const scores = Array.from(
        { length: n + 1 },
        (_, j) => sum(headDim, (d) => at(qkv, query + d) * at(qkv, key(j) + d)) / Math.sqrt(headDim),
      );
      const total = sum(n + 1, (j) => Math.exp(at(scores, j)));
      const p = scores.map((score) => Math.exp(score) / total);
      const dp = p.map((_, j) => sum(headDim, (d) => at(dOut, own + d) * at(qkv, value(j) + d)));
      const mean = sum(n + 1, (j) => at(p, j) * at(dp, j));
      for (let d = 0; d < headDim; d++) out[own + d] = sum(n + 1, (j) => at(p, j) * at(qkv, value(j) + d));
      for (let j = 0; j <= n; j++) {
        const ds = (at(p, j) * (at(dp, j) - mean)) / Math.sqrt(headDim);
        for (let d = 0; d < headDim; d++) {
          add(query + d, ds * at(qkv, key(j) + d));
          add(key(j) + d, ds * at(qkv, query + d));
          add(value(j) + d, at(p, j) * at(dOut, own + d));
        }
      }
    }
  }
  return { out, dQkv };
}

interface HeadSizes {
  readonly rows: number;
  readonly width: number;
  readonly vocabulary: number;
  readonly temperature: number;
}

export function tokenLogprobs(
  hidden: Values,
  head: Values,
  targets: Int32Array,
  dLogprob: Values,
  { rows, width, vocabulary, temperature }: HeadSizes,
): { logprob: number[]; entropy: number[]; dHidden: number[]; dHead: number[] } {
  const logits = table(
    rows,
    vocabulary,
    (n, v) => sum(width, (d) => at(hidden, n * width + d) * at(head, v * width + d)) / temperature,
  );
  const lse = Array.from({ length: rows }, (_, n) =>
    Math.log(sum(vocabulary, (v) => Math.exp(at(logits, n * vocabulary + v)))),
  );
  const logp = table(rows, vocabulary, (n, v) => at(logits, n * vocabulary + v) - at(lse, n));
  const target = (n: number): number => targets[n] ?? -1;
  const dLogits = table(rows, vocabulary, (n, v) =>
    target(n) < 0
      ? 0
      : (at(dLogprob, n) * ((v === target(n) ? 1 : 0) - Math.exp(at(logp, n * vocabulary + v)))) / temperature,
  );
  return {
    logprob: table(rows, 1, (n) => (target(n) < 0 ? 0 : at(logp, n * vocabulary + target(n)))),
    entropy: table(rows, 1, (n) =>
      target(n) < 0
        ? 0
        : -sum(vocabulary, (v) => Math.exp(at(logp, n * vocabulary + v)) * at(logp, n * vocabulary + v)),
    ),
    dHidden: table(rows, width, (n, d) =>
      sum(vocabulary, (v) => at(dLogits, n * vocabulary + v) * at(head, v * width + d)),
    ),
    dHead: table(vocabulary, width, (v, d) =>
      sum(rows, (n) => at(dLogits, n * vocabulary + v) * at(hidden, n * width + d)),
    ),
  };
}

export function adamw(
  theta: Values,
  grad: Values,
  m: Values,
  v: Values,
  o: AdamWOptions,
): { squares: number; theta: number[]; m: number[]; v: number[] } {
  const squares = sum(grad.length, (i) => at(grad, i) ** 2);
  const factor = Math.min(1, o.maxGradNorm / (Math.sqrt(squares) + 1e-6));
  const newM = table(1, grad.length, (_, i) => o.beta1 * at(m, i) + (1 - o.beta1) * factor * at(grad, i));
  const newV = table(1, grad.length, (_, i) => o.beta2 * at(v, i) + (1 - o.beta2) * (factor * at(grad, i)) ** 2);
  const newTheta = table(1, grad.length, (_, i) => {
    const mean = at(newM, i) / (1 - o.beta1 ** o.updateCount);
    const spread = Math.sqrt(at(newV, i) / (1 - o.beta2 ** o.updateCount));
    return at(theta, i) * (1 - o.learningRate * o.weightDecay) - (o.learningRate * mean) / (spread + o.epsilon);
  });
  return { squares, theta: newTheta, m: newM, v: newV };
}

interface DrawOptions {
  readonly vocabulary: number;
  readonly temperature: number;
  readonly seed: number;
  readonly step: number;
  readonly padToken: number;
  readonly suppressTokens: readonly number[];
}

/** @param rowIds the row part of the random counter; −1 for a row that is done */
export function sample(
  logits: Values,
  rowIds: readonly number[],
  o: DrawOptions,
): { tokens: number[]; logprobs: number[]; entropies: number[]; allowed: number[] } {
  const rows = rowIds.map((id, row) => {
    if (id < 0) return { token: o.padToken, logprob: 0, entropy: 0, allowed: 0 };
    const powers = Array.from({ length: o.vocabulary }, (_, t) =>
      Math.exp(at(logits, row * o.vocabulary + t) / o.temperature),
    );
    const total = sum(o.vocabulary, (t) => at(powers, t));
    const drawn = powers.map((power, token) => (o.suppressTokens.includes(token) ? 0 : power));
    const share = sum(o.vocabulary, (t) => at(drawn, t));
    const goal = randomUniform(o.seed, o.step, id, 0) * share;
    let reached = 0;
    const token = drawn.findIndex((power) => {
      reached += power;
      return reached > goal;
    });
    return {
      token,
      logprob: Math.log(at(powers, token) / total),
      allowed: Math.log(share / total),
      entropy: -sum(o.vocabulary, (t) => (at(powers, t) / total) * Math.log(at(powers, t) / total)),
    };
  });
  return {
    tokens: rows.map((row) => row.token),
    logprobs: rows.map((row) => row.logprob),
    entropies: rows.map((row) => row.entropy),
    allowed: rows.map((row) => row.allowed),
  };
}
