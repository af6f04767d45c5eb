/**
 * WGSL of the attention kernels. A workgroup handles one (query, head), or one (key, kvHead) for dK and dV, and walks
 * the rows involved in tiles of THREADS: first each invocation computes the weight of one row, then each invocation
 * adds up one part (vec4 or scalar) of the head over the tile. Loops have run-time bounds on purpose: unrolled, the
 * shaders take half a minute to compile on a CPU adapter. CPU adapters with subgroups of one size have kernels of their
 * own (attentionBlocks.ts, attentionCache.ts).
 */
import { ROW_MAX, ROW_SUM } from "./rowReduce";

/** `vec4f` where heads are aligned, else `f32`. */
export type HeadElement = "vec4f" | "f32";

const product = (element: HeadElement, a: string, b: string): string =>
  element === "vec4f" ? `dot(${a}, ${b})` : `${a} * ${b}`;

/** Σ over the parts of a head of a[aStart + i] · b[bStart + i]. */
const headDot = (name: string, element: HeadElement, a: string, b: string): string => `
fn ${name}(aStart: u32, bStart: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < params.parts; i++) { sum += ${product(element, `${a}[aStart + i]`, `${b}[bStart + i]`)}; }
  return sum;
}`;

/** The rows that query `row` sees, counted through both ranges. */
const VISIBLE = `
struct Seen { first: u32, firstCount: u32, second: u32, count: u32 }
fn seenRows(row: u32) -> Seen {
  let a = visible[row * 4u]; let b = visible[row * 4u + 1u];
  let c = visible[row * 4u + 2u]; let d = visible[row * 4u + 3u];
  let firstCount = u32(max(0, b - a));
  let secondCount = select(0u, u32(max(0, d + params.cacheOffset - c)), d > c);
  return Seen(u32(a), firstCount, u32(c), firstCount + secondCount);
}
fn seenRow(s: Seen, i: u32) -> u32 { return select(s.second + i - s.firstCount, s.first + i, i < s.firstCount); }
fn kvStart(row: u32, offset: u32, head: u32) -> u32 {
  return row * params.kvColumns + offset + (head * params.kvHeads / params.heads) * params.parts;
}`;

/** Four columns of an f16 cache. */
const F16_PART = `
fn kvPart(at: u32) -> vec4f { return vec4f(unpack2x16float(kv[at].x), unpack2x16float(kv[at].y)); }
fn score(aStart: u32, bStart: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < params.parts; i++) { sum += dot(q[aStart + i], kvPart(bStart + i)); }
  return sum;
}`;

/** @param f16 keys and values are in f16; `element` is vec4f then */
export const forwardCode = (element: HeadElement, f16: boolean): string => `
${ROW_MAX}
${VISIBLE}
${f16 ? F16_PART : headDot("score", element, "q", "kv")}
var<workgroup> weights: array<f32, THREADS>;
fn kernel(pair: u32, lane: u32) {
  let row = pair / params.heads;
  let head = pair % params.heads;
  let qStart = row * params.qColumns + params.qOffset + head * params.parts;
  let seen = seenRows(row);
  let part = min(lane, params.parts - 1u);
  var largest = -1e30;
  var total = 0.0;
  var sum = ${element}(0.0);
  for (var tile = 0u; tile < seen.count; tile += THREADS) {
    let i = tile + lane;
    var own = -1e30;
    if (i < seen.count) { own = params.scale * score(qStart, kvStart(seenRow(seen, i), params.kOffset, head)); }
    let newLargest = max(largest, rowMax(own, lane));
    weights[lane] = select(0.0, exp(own - newLargest), i < seen.count);
    workgroupBarrier();
    let shrink = exp(largest - newLargest);
    largest = newLargest;
    total *= shrink;
    sum *= shrink;
    let length = min(THREADS, seen.count - tile);
    for (var s = 0u; s < length; s++) {
      let p = weights[s];
      total += p;
      let value = kvStart(seenRow(seen, tile + s), params.vOffset, head) + part;
      sum += p * ${f16 ? "kvPart(value)" : "kv[value]"};
    }
    workgroupBarrier();
  }
  if (lane < params.parts) { out[pair * params.parts + lane] = sum * select(0.0, 1.0 / total, total > 0.0); }
  if (lane == 0u) { lse[pair] = select(0.0, largest + log(total), total > 0.0); }
}`;

/** dQ of one (query, head), and for the keys' pass its norms: lse, and Σ dOut · out. */
export const backwardQueriesCode = (element: HeadElement): string => `
${ROW_SUM}
${VISIBLE}
${headDot("score", element, "qkv", "qkv")}
${headDot("dValue", element, "dOut", "qkv")}
var<workgroup> weights: array<f32, THREADS>;
fn kernel(pair: u32, lane: u32) {
  let row = pair / params.heads;
  let head = pair % params.heads;
  let qStart = row * params.qColumns + params.qOffset + head * params.parts;
  let dStart = pair * params.parts;
  let seen = seenRows(row);
  let part = min(lane, params.parts - 1u);
  var share = 0.0;
  if (lane < params.parts) { share = ${product(element, "dOut[dStart + lane]", "out[dStart + lane]")}; }
  let own = rowSum(share, lane);
  let norm = lse[pair];
  var sum = ${element}(0.0);
  for (var tile = 0u; tile < seen.count; tile += THREADS) {
    let i = tile + lane;
    var ds = 0.0;
    if (i < seen.count) {
      let j = seenRow(seen, i);
      let p = exp(params.scale * score(qStart, kvStart(j, params.kOffset, head)) - norm);
      ds = p * params.scale * (dValue(dStart, kvStart(j, params.vOffset, head)) - own);
    }
    weights[lane] = ds;
    workgroupBarrier();
    let length = min(THREADS, seen.count - tile);
    for (var s = 0u; s < length; s++) {
      sum += weights[s] * qkv[kvStart(seenRow(seen, tile + s), params.kOffset, head) + part];
    }
    workgroupBarrier();
  }
  if (lane < params.parts) { dQkv[qStart + lane] = sum; }
  if (lane == 0u) { norms[pair] = vec2f(norm, own); }
}`;

/** dK and dV of one (key, kvHead), summed over the queries that see it and the heads of its group. */
export const backwardKeysCode = (element: HeadElement): string => `
${headDot("score", element, "qkv", "qkv")}
${headDot("dValue", element, "dOut", "qkv")}
var<workgroup> weights: array<f32, THREADS>;
var<workgroup> slopes: array<f32, THREADS>;
fn kernel(pair: u32, lane: u32) {
  let row = pair / params.kvHeads;
  let kvHead = pair % params.kvHeads;
  let perGroup = params.heads / params.kvHeads;
  let kStart = row * params.kvColumns + params.kOffset + kvHead * params.parts;
  let vStart = row * params.kvColumns + params.vOffset + kvHead * params.parts;
  let first = seenBy[row * 2u];
  let count = u32(max(0, seenBy[row * 2u + 1u] - first)) * perGroup;
  let part = min(lane, params.parts - 1u);
  var dk = ${element}(0.0);
  var dv = ${element}(0.0);
  for (var tile = 0u; tile < count; tile += THREADS) {
    let i = tile + lane;
    var p = 0.0;
    var ds = 0.0;
    if (i < count) {
      let query = u32(first) + i / perGroup;
      let head = kvHead * perGroup + i % perGroup;
      let at = query * params.heads + head;
      let queryStart = query * params.qColumns + params.qOffset + head * params.parts;
      p = exp(params.scale * score(queryStart, kStart) - norms[at].x);
      ds = p * params.scale * (dValue(at * params.parts, vStart) - norms[at].y);
    }
    weights[lane] = p;
    slopes[lane] = ds;
    workgroupBarrier();
    let length = min(THREADS, count - tile);
    for (var s = 0u; s < length; s++) {
      let query = u32(first) + (tile + s) / perGroup;
      let head = kvHead * perGroup + (tile + s) % perGroup;
      dv += weights[s] * dOut[(query * params.heads + head) * params.parts + part];
      dk += slopes[s] * qkv[query * params.qColumns + params.qOffset + head * params.parts + part];
    }
    workgroupBarrier();
  }
  if (lane < params.parts) {
    dQkv[kStart + lane] = dk;
    dQkv[vStart + lane] = dv;
  }
}`;
