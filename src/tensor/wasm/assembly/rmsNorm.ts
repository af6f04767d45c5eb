/** RMSNorm and its gradient, row by row. */
import { laneSum, splat } from "./math";

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
    for (; i < end4; i += 16)
      v128.store(y + i, f32x4.mul(f32x4.mul(v128.load(row + i), inverse4), v128.load(weight + i)));
    for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(row + i) * inverse * load<f32>(weight + i));
  }
}

/**
 * dx = r·w·dy − x·r³/D·Σ w·dy·x (+ residual), r = 1/rms; dWeight += Σ_rows dy·x·r. `residual` and `dWeight` may be 0.
 */
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
