/**
 * Matrix products on 4 × 8 register tiles. The right operand is always packed first into panels of eight
 * columns, [ceil(n/8)][k][8] with zeros past the edge, so that f32, f16 and int4 weights, transposed or not,
 * share one inner loop (see packs.ts). The left operand is read by rows, in place or from a transposed copy.
 *
 * Blocking: 4·8 accumulators in registers; k in slabs of at most K_BLOCK so that a panel stays in the first
 * cache; rows in blocks whose left operand stays there too. Every sum runs over k in order, so the result
 * does not depend on the blocking except at slab borders, which depend on k alone.
 */
import { madd, splat } from "./math";

@inline
function accumulate8(c: usize, lo: v128, hi: v128): void {
  v128.store(c, f32x4.add(v128.load(c), lo));
  v128.store(c, f32x4.add(v128.load(c, 16), hi), 16);
}

/** Writes the `rows` × `columns` corner of a tile kept in memory: out = tile (+ bias) (+ residual), or out += tile. */
function finishTile(
  tile: usize, rows: i32, columns: i32, c: usize, ldc: usize, bias: usize, residual: usize, ldr: usize,
  accumulate: bool,
): void {
  const bytes = <usize>columns * 4;
  for (let r = 0; r < rows; r++) {
    let j: usize = 0;
    for (; j + 16 <= bytes; j += 16) {
      let out = v128.load(tile + j);
      if (bias) out = f32x4.add(out, v128.load(bias + j));
      if (residual) out = f32x4.add(out, v128.load(residual + j));
      if (accumulate) out = f32x4.add(out, v128.load(c + j));
      v128.store(c + j, out);
    }
    for (; j < bytes; j += 4) {
      let out = load<f32>(tile + j);
      if (bias) out += load<f32>(bias + j);
      if (residual) out += load<f32>(residual + j);
      if (accumulate) out += load<f32>(c + j);
      store<f32>(c + j, out);
    }
    tile += 32;
    c += ldc;
    if (residual) residual += ldr;
  }
}

/**
 * C [m, n] = A · B (+ bias [n]) (+ residual [m, n]), or += with `accumulate`.
 * Byte strides: lda between rows of A, ldc and ldr between rows of C and residual.
 * `b`: packed panels, each `panelStride` bytes, beginning at the first k of this product. `tile`: 128 bytes of scratch.
 */
function tiles(
  m: i32, n: i32, k: i32, a: usize, lda: usize, b: usize, panelStride: usize,
  c: usize, ldc: usize, bias: usize, residual: usize, ldr: usize, accumulate: bool, tile: usize,
): void {
  const bEnd = <usize>k * 32;
  const plain = bias == 0 && residual == 0;
  for (let j = 0; j < n; j += 8) {
    const columns = min(8, n - j);
    const panel = b + <usize>(j >> 3) * panelStride;
    const biasJ = bias ? bias + <usize>j * 4 : 0;
    for (let i = 0; i < m; i += 4) {
      const rows = min(4, m - i);
      let a0 = a + <usize>i * lda;
      let a1 = rows > 1 ? a0 + lda : a0;
      let a2 = rows > 2 ? a1 + lda : a1;
      let a3 = rows > 3 ? a2 + lda : a2;
      let c00 = splat(0), c01 = splat(0), c10 = splat(0), c11 = splat(0);
      let c20 = splat(0), c21 = splat(0), c30 = splat(0), c31 = splat(0);
      let p = panel;
      const end = panel + bEnd;
      while (p < end) {
        const b0 = v128.load(p), b1 = v128.load(p, 16);
        let x = v128.load32_splat(a0);
        c00 = madd(c00, x, b0); c01 = madd(c01, x, b1);
        x = v128.load32_splat(a1);
        c10 = madd(c10, x, b0); c11 = madd(c11, x, b1);
        x = v128.load32_splat(a2);
        c20 = madd(c20, x, b0); c21 = madd(c21, x, b1);
        x = v128.load32_splat(a3);
        c30 = madd(c30, x, b0); c31 = madd(c31, x, b1);
        a0 += 4; a1 += 4; a2 += 4; a3 += 4;
        p += 32;
      }
      const out = c + <usize>i * ldc + <usize>j * 4;
      if (rows == 4 && columns == 8 && plain) {
        const out1 = out + ldc, out2 = out1 + ldc, out3 = out2 + ldc;
        if (accumulate) {
          accumulate8(out, c00, c01); accumulate8(out1, c10, c11);
          accumulate8(out2, c20, c21); accumulate8(out3, c30, c31);
        } else {
          v128.store(out, c00); v128.store(out, c01, 16); v128.store(out1, c10); v128.store(out1, c11, 16);
          v128.store(out2, c20); v128.store(out2, c21, 16); v128.store(out3, c30); v128.store(out3, c31, 16);
        }
      } else {
        v128.store(tile, c00); v128.store(tile, c01, 16); v128.store(tile, c10, 32); v128.store(tile, c11, 48);
        v128.store(tile, c20, 64); v128.store(tile, c21, 80); v128.store(tile, c30, 96); v128.store(tile, c31, 112);
        const res = residual ? residual + <usize>i * ldr + <usize>j * 4 : 0;
        finishTile(tile, rows, columns, out, ldc, biasJ, res, ldr, accumulate);
      }
    }
  }
}

/** k of one slab: a panel slab of 512 · 32 bytes = 16 KiB. */
const K_BLOCK: i32 = 512;
/** Bytes of the left operand kept in the first cache. */
const A_BLOCK: i32 = 16384;

/** C = A · B with A read in place by rows; see `tiles` for the arguments. `b`: panels of k·32 bytes. */
export function multiply(
  m: i32, n: i32, k: i32, a: usize, lda: usize, b: usize,
  c: usize, ldc: usize, bias: usize, residual: usize, ldr: usize, accumulate: bool, tile: usize,
): void {
  const panelStride = <usize>k * 32;
  let k0 = 0;
  do {
    const kb = min(K_BLOCK, k - k0);
    const rowsPerBlock = max(8, (A_BLOCK / (4 * max(1, kb))) & ~3);
    const first = k0 == 0;
    for (let i = 0; i < m; i += rowsPerBlock) {
      tiles(
        min(rowsPerBlock, m - i), n, kb, a + <usize>i * lda + <usize>k0 * 4, lda, b + <usize>k0 * 32, panelStride,
        c + <usize>i * ldc, ldc, first ? bias : 0, first && residual ? residual + <usize>i * ldr : 0, ldr,
        first ? accumulate : true, tile,
      );
    }
    k0 += K_BLOCK;
  } while (k0 < k);
}

/** Rows of k taken at a time by `multiplyTransposed`. */
export const T_BLOCK: i32 = 256;

/**
 * C [m, n] += scale · Aᵀ · B with A [k, m] and B [k, n] both read by rows (byte strides lda, ldb): the weight gradient.
 * `scratch`: T_BLOCK · 4 · (roundUp4(m) + roundUp8(n)) bytes and 128 more.
 */
export function multiplyTransposed(
  m: i32, n: i32, k: i32, a: usize, lda: usize, b: usize, ldb: usize, scale: f32, c: usize, ldc: usize, scratch: usize,
): void {
  const tile = scratch;
  const packedA = scratch + 128;
  const aRow = <usize>T_BLOCK * 4;
  const packedB = packedA + aRow * <usize>((m + 3) & ~3);
  for (let k0 = 0; k0 < k; k0 += T_BLOCK) {
    const kb = min(T_BLOCK, k - k0);
    transpose(kb, m, a + <usize>k0 * lda, lda, packedA, aRow);
    packPanels(kb, n, b + <usize>k0 * ldb, ldb, scale, packedB);
    // The transposed block is read like any left operand: 16 rows of it fill A_BLOCK.
    const panelStride = <usize>kb * 32;
    for (let i = 0; i < m; i += 16) {
      tiles(min(16, m - i), n, kb, packedA + <usize>i * aRow, aRow, packedB, panelStride, c + <usize>i * ldc, ldc, 0, 0,
        0, true, tile);
    }
  }
}

/** out [n, m] = A [m, n]ᵀ; `ldo` bytes between rows of out. Works on 4 × 4 blocks. */
export function transpose(m: i32, n: i32, a: usize, lda: usize, out: usize, ldo: usize): void {
  const n4 = n & ~3;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const row = a + <usize>i * lda;
    const column = out + <usize>i * 4;
    let j = 0;
    for (; j < n4; j += 4) {
      const p = row + <usize>j * 4;
      const r0 = v128.load(p), r1 = v128.load(p + lda), r2 = v128.load(p + 2 * lda), r3 = v128.load(p + 3 * lda);
      const t0 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), t1 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
      const t2 = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t3 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
      const q = column + <usize>j * ldo;
      v128.store(q, i32x4.shuffle(t0, t1, 0, 1, 4, 5));
      v128.store(q + ldo, i32x4.shuffle(t0, t1, 2, 3, 6, 7));
      v128.store(q + 2 * ldo, i32x4.shuffle(t2, t3, 0, 1, 4, 5));
      v128.store(q + 3 * ldo, i32x4.shuffle(t2, t3, 2, 3, 6, 7));
    }
    for (; j < n; j++) {
      const p = row + <usize>j * 4;
      const q = column + <usize>j * ldo;
      store<f32>(q, load<f32>(p));
      store<f32>(q, load<f32>(p + lda), 4);
      store<f32>(q, load<f32>(p + 2 * lda), 8);
      store<f32>(q, load<f32>(p + 3 * lda), 12);
    }
  }
  for (; i < m; i++) {
    for (let j = 0; j < n; j++)
      store<f32>(out + <usize>j * ldo + <usize>i * 4, load<f32>(a + <usize>i * lda + <usize>j * 4));
  }
}

/** Panels of B [k, n] read by rows (byte stride ldb), times `scale`: [ceil(n/8)][k][8]. */
export function packPanels(k: i32, n: i32, b: usize, ldb: usize, scale: f32, out: usize): void {
  const s = splat(scale);
  for (let j = 0; j < n; j += 8) {
    let from = b + <usize>j * 4;
    let to = out + <usize>(j >> 3) * <usize>k * 32;
    const columns = min(8, n - j);
    for (let i = 0; i < k; i++) {
      if (columns == 8) {
        v128.store(to, f32x4.mul(s, v128.load(from)));
        v128.store(to, f32x4.mul(s, v128.load(from, 16)), 16);
      } else {
        v128.store(to, splat(0));
        v128.store(to, splat(0), 16);
        for (let l: usize = 0; l < <usize>columns * 4; l += 4) store<f32>(to + l, scale * load<f32>(from + l));
      }
      from += ldb;
      to += 32;
    }
  }
}

/** Panels of Bᵀ for B [n, k] read by rows (a weight [out, in] used as x · Wᵀ), times `scale`: [ceil(n/8)][k][8]. */
export function packPanelsTransposed(n: i32, k: i32, b: usize, ldb: usize, scale: f32, out: usize): void {
  const s = splat(scale);
  for (let j = 0; j < n; j += 4) {
    const to = out + <usize>(j >> 3) * <usize>k * 32 + <usize>(j & 4) * 4;
    const rows = min(4, n - j);
    const from = b + <usize>j * ldb;
    if (rows < 4) {
      for (let i = 0; i < k; i++) {
        const q = to + <usize>i * 32;
        v128.store(q, splat(0));
        for (let l = 0; l < rows; l++)
          store<f32>(q + <usize>l * 4, scale * load<f32>(from + <usize>l * ldb + <usize>i * 4));
      }
    } else {
      let i = 0;
      for (; i + 4 <= k; i += 4) {
        const p = from + <usize>i * 4;
        const r0 = f32x4.mul(s, v128.load(p)), r1 = f32x4.mul(s, v128.load(p + ldb));
        const r2 = f32x4.mul(s, v128.load(p + 2 * ldb)), r3 = f32x4.mul(s, v128.load(p + 3 * ldb));
        const t0 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), t1 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
        const t2 = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t3 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
        const q = to + <usize>i * 32;
        v128.store(q, i32x4.shuffle(t0, t1, 0, 1, 4, 5));
        v128.store(q, i32x4.shuffle(t0, t1, 2, 3, 6, 7), 32);
        v128.store(q, i32x4.shuffle(t2, t3, 0, 1, 4, 5), 64);
        v128.store(q, i32x4.shuffle(t2, t3, 2, 3, 6, 7), 96);
      }
      for (; i < k; i++) {
        const q = to + <usize>i * 32;
        for (let l: usize = 0; l < 4; l++) store<f32>(q + l * 4, scale * load<f32>(from + l * ldb + <usize>i * 4));
      }
    }
    // A last half panel: zeros in the other half.
    if (j + 4 >= n && (j & 4) == 0) {
      for (let i = 0; i < k; i++) v128.store(to + <usize>i * 32, splat(0), 16);
    }
  }
}
