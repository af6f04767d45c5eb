/** Kernels that go row by row: RMSNorm and its gradient, gathers, scatters and column sums. */
import { laneSum, splat } from "./math";
import { unpackRows } from "./packs";

/** y += a · x over n floats. */
@inline
function addScaled(y: usize, x: usize, a: f32, n: i32): void {
  const end4 = <usize>(n & ~3) * 4;
  const a4 = splat(a);
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(a4, v128.load(x + i))));
  for (; i < <usize>n * 4; i += 4) store<f32>(y + i, load<f32>(y + i) + a * load<f32>(x + i));
}

/** 1 / sqrt(mean(x²) + eps) of one row. */
@inline
function inverseRms(x: usize, d: i32, eps: f32): f32 {
  const end4 = <usize>(d & ~3) * 4;
  let sum4 = splat(0);
  let i: usize = 0;
  for (; i < end4; i += 16) {
    const v = v128.load(x + i);
    sum4 = f32x4.add(sum4, f32x4.mul(v, v));
  }
  let sum = laneSum(sum4);
  for (; i < <usize>d * 4; i += 4) sum += load<f32>(x + i) * load<f32>(x + i);
  return <f32>1 / sqrt<f32>(sum / <f32>d + eps);
}

export function rmsNorm(rows: i32, d: i32, x: usize, weight: usize, eps: f32, out: usize): void {
  const bytes = <usize>d * 4;
  const end4 = <usize>(d & ~3) * 4;
  for (let r = 0; r < rows; r++) {
    const row = x + <usize>r * bytes;
    const y = out + <usize>r * bytes;
    const inverse = inverseRms(row, d, eps);
    const inverse4 = splat(inverse);
    let i: usize = 0;
    for (; i < end4; i += 16) v128.store(y + i, f32x4.mul(f32x4.mul(v128.load(row + i), inverse4), v128.load(weight + i)));
    for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(row + i) * inverse * load<f32>(weight + i));
  }
}

/** dx = r·w·dy − x·r³/D·Σ w·dy·x (+ residual), r = 1/rms; dWeight += Σ_rows dy·x·r. `residual` and `dWeight` may be 0. */
export function rmsNormGrad(
  rows: i32, d: i32, x: usize, weight: usize, dy: usize, eps: f32, residual: usize, dWeight: usize, out: usize,
): void {
  const bytes = <usize>d * 4;
  const end4 = <usize>(d & ~3) * 4;
  for (let r = 0; r < rows; r++) {
    const base = <usize>r * bytes;
    const row = x + base, g = dy + base, o = out + base;
    const inverse = inverseRms(row, d, eps);
    let dot4 = splat(0);
    let i: usize = 0;
    for (; i < end4; i += 16) {
      dot4 = f32x4.add(dot4, f32x4.mul(f32x4.mul(v128.load(weight + i), v128.load(g + i)), v128.load(row + i)));
    }
    let dot = laneSum(dot4);
    for (; i < bytes; i += 4) dot += load<f32>(weight + i) * load<f32>(g + i) * load<f32>(row + i);
    const pull = dot * inverse * inverse * inverse / <f32>d;
    const inverse4 = splat(inverse), pull4 = splat(pull);
    i = 0;
    for (; i < end4; i += 16) {
      const xv = v128.load(row + i), gv = v128.load(g + i);
      let dx = f32x4.sub(f32x4.mul(inverse4, f32x4.mul(v128.load(weight + i), gv)), f32x4.mul(pull4, xv));
      if (residual) dx = f32x4.add(dx, v128.load(residual + base + i));
      v128.store(o + i, dx);
      if (dWeight) v128.store(dWeight + i, f32x4.add(v128.load(dWeight + i), f32x4.mul(gv, f32x4.mul(xv, inverse4))));
    }
    for (; i < bytes; i += 4) {
      const xv = load<f32>(row + i), gv = load<f32>(g + i);
      let dx = inverse * (load<f32>(weight + i) * gv) - pull * xv;
      if (residual) dx += load<f32>(residual + base + i);
      store<f32>(o + i, dx);
      if (dWeight) store<f32>(dWeight + i, load<f32>(dWeight + i) + gv * (xv * inverse));
    }
  }
}

/** Whether −features ≤ id < vocabulary for all ids. */
export function idsWithin(n: i32, ids: usize, vocabulary: i32, features: i32): bool {
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    if (id >= vocabulary || id < -features) return false;
  }
  return true;
}

export function embedding(n: i32, d: i32, ids: usize, format: i32, table: usize, scales: usize, features: usize, out: usize): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    const to = out + <usize>i * bytes;
    if (id < 0) memory.copy(to, features + <usize>(-1 - id) * bytes, bytes);
    else unpackRows(format, table, scales, d, id, 1, to);
  }
}

/** Rows of dy added in order to the table row or feature row they came from; either target may be 0. */
export function embeddingGrad(n: i32, d: i32, ids: usize, dy: usize, dTable: usize, dFeatures: usize): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    const from = dy + <usize>i * bytes;
    if (id >= 0) {
      if (dTable) addScaled(dTable + <usize>id * bytes, from, 1, d);
    } else if (dFeatures) addScaled(dFeatures + <usize>(-1 - id) * bytes, from, 1, d);
  }
}

/** out [n] += column sums of x [rows, n]. */
export function columnSums(rows: i32, n: i32, x: usize, out: usize): void {
  for (let r = 0; r < rows; r++) addScaled(out, x + <usize>r * <usize>n * 4, 1, n);
}

/** Row r of x (byte stride) to row rows[r] + cacheOffset of `into`; negative entries are skipped. False if one lies outside. */
export function copyRows(n: i32, x: usize, stride: usize, bytes: usize, rows: usize, cacheOffset: i32, into: usize, capacity: i32): bool {
  for (let r = 0; r < n; r++) {
    const row = load<i32>(rows + <usize>r * 4);
    if (row < 0) continue;
    if (row + cacheOffset < 0 || row + cacheOffset >= capacity) return false;
    memory.copy(into + <usize>(row + cacheOffset) * bytes, x + <usize>r * stride, bytes);
  }
  return true;
}
