/**
 * Element-wise kernels over n floats. Buffers are not padded, so a last group of one to three floats goes
 * through `tail4`/`storeTail`, which load and store lane by lane.
 */
import { normalCdf4, exp4, sigmoid4, splat } from "./math";

/** Up to four floats from p; missing lanes are 0. */
@inline
function tail4(p: usize, left: i32): v128 {
  return f32x4(
    load<f32>(p), left > 1 ? load<f32>(p, 4) : 0, left > 2 ? load<f32>(p, 8) : 0, left > 3 ? load<f32>(p, 12) : 0,
  );
}

@inline
function storeTail(p: usize, v: v128, left: i32): void {
  store<f32>(p, f32x4.extract_lane(v, 0));
  if (left > 1) store<f32>(p, f32x4.extract_lane(v, 1), 4);
  if (left > 2) store<f32>(p, f32x4.extract_lane(v, 2), 8);
  if (left > 3) store<f32>(p, f32x4.extract_lane(v, 3), 12);
}

@inline
function gelu4(x: v128): v128 {
  return f32x4.mul(x, normalCdf4(x));
}

/** d gelu / dx = Φ(x) + x·φ(x). */
@inline
function geluSlope4(x: v128): v128 {
  const density = f32x4.mul(splat(0.39894228040143268), exp4(f32x4.mul(splat(-0.5), f32x4.mul(x, x))));
  return f32x4.add(normalCdf4(x), f32x4.mul(x, density));
}

export function gelu(n: i32, x: usize, out: usize): void {
  const end4 = <usize>(n & ~3) * 4;
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(out + i, gelu4(v128.load(x + i)));
  if (n & 3) storeTail(out + i, gelu4(tail4(x + i, n & 3)), n & 3);
}

export function geluGrad(n: i32, x: usize, dy: usize, out: usize): void {
  const end4 = <usize>(n & ~3) * 4;
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(out + i, f32x4.mul(v128.load(dy + i), geluSlope4(v128.load(x + i))));
  if (n & 3) storeTail(out + i, f32x4.mul(tail4(dy + i, n & 3), geluSlope4(tail4(x + i, n & 3))), n & 3);
}

export function add(n: i32, a: usize, b: usize, out: usize): void {
  const end4 = <usize>(n & ~3) * 4;
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(out + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  if (n & 3) storeTail(out + i, f32x4.add(tail4(a + i, n & 3), tail4(b + i, n & 3)), n & 3);
}

export function fill(n: i32, x: usize, value: f32): void {
  const v = splat(value);
  const end4 = <usize>(n & ~3) * 4;
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(x + i, v);
  if (n & 3) storeTail(x + i, v, n & 3);
}

/** gateUp [rows, 2f] → silu(gate) · up [rows, f]. */
export function swiglu(rows: i32, f: i32, gateUp: usize, out: usize): void {
  const end4 = <usize>(f & ~3) * 4;
  const left = f & 3;
  for (let r = 0; r < rows; r++) {
    const gate = gateUp + <usize>r * <usize>f * 8;
    const up = gate + <usize>f * 4;
    const y = out + <usize>r * <usize>f * 4;
    let i: usize = 0;
    for (; i < end4; i += 16) {
      const g = v128.load(gate + i);
      v128.store(y + i, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(up + i)));
    }
    if (left) {
      const g = tail4(gate + i, left);
      storeTail(y + i, f32x4.mul(f32x4.mul(g, sigmoid4(g)), tail4(up + i, left)), left);
    }
  }
}

/** d silu(g)/dg = σ + g·σ·(1 − σ). */
export function swigluGrad(rows: i32, f: i32, gateUp: usize, dy: usize, out: usize): void {
  const end4 = <usize>(f & ~3) * 4;
  const left = f & 3;
  const one = splat(1);
  for (let r = 0; r < rows; r++) {
    const gate = gateUp + <usize>r * <usize>f * 8;
    const up = gate + <usize>f * 4;
    const dGate = out + <usize>r * <usize>f * 8;
    const dUp = dGate + <usize>f * 4;
    const d = dy + <usize>r * <usize>f * 4;
    let i: usize = 0;
    for (; i < end4; i += 16) {
      const g = v128.load(gate + i), g1 = v128.load(d + i);
      const s = sigmoid4(g);
      const silu = f32x4.mul(g, s);
      v128.store(dUp + i, f32x4.mul(g1, silu));
      const slope = f32x4.add(s, f32x4.mul(silu, f32x4.sub(one, s)));
      v128.store(dGate + i, f32x4.mul(f32x4.mul(g1, v128.load(up + i)), slope));
    }
    if (left) {
      const g = tail4(gate + i, left), g1 = tail4(d + i, left);
      const s = sigmoid4(g);
      const silu = f32x4.mul(g, s);
      storeTail(dUp + i, f32x4.mul(g1, silu), left);
      const slope = f32x4.add(s, f32x4.mul(silu, f32x4.sub(one, s)));
      storeTail(dGate + i, f32x4.mul(f32x4.mul(g1, tail4(up + i, left)), slope), left);
    }
  }
}
