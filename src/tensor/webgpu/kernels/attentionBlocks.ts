/**
 * WGSL of attention for adapters on which a workgroup is one subgroup (oneSubgroup.ts), where neighbouring rows see nearly the
 * same rows: training and prompts. Such an adapter reads memory lane by lane, a test and a load for each, also where all lanes want
 * the same value; loads and barriers are what attention by rows (attentionCode.ts) spends its time on there. Here a workgroup has
 * a few neighbouring rows of one head, each in the registers of a lane, and walks through all that any of them sees. A value is
 * loaded once, each lane another part, and handed round with `subgroupBroadcast` from constant lanes. No workgroup memory.
 *
 * A row that a lane does not see weighs 0 there, and what a lane sums up does not depend on the rows beside it: it adds the
 * same rows in the same order by the same operations, wherever a step of the walk begins. The softmax's running maximum
 * is a power of two for that: to scale by another one rounds nothing.
 */
import { RowBlock } from "./rowBlock";

/** Wider heads do not fit the registers. */
const WIDEST = 64;

/** Whether these kernels can do heads of this width; every offset and stride must be a multiple of four. */
export const fitsBlocks = (headDim: number): boolean => headDim <= WIDEST;

/** A kernel, and how many rows of a head one workgroup has. */
export interface AttentionBlock {
  readonly rows: number;
  readonly code: () => string;
}

/** Buffers q, kv, visible, out, lse. Two rows a lane: a load serves both. */
export function forwardBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, 2);
  return { rows: block.rows, code: () => forwardCode(block) };
}

/** Buffers qkv, visible, out, lse, dOut, dQkv, norms. With eight lanes a second row would double the compile time for a fifth. */
export function queriesBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, lanes < 8 ? 2 : 1);
  return { rows: block.rows, code: () => queriesCode(block) };
}

/** Buffers qkv, seenBy, norms, dOut, dQkv. */
export function keysBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, lanes < 8 ? 2 : 1);
  return { rows: block.rows, code: () => keysCode(block) };
}

const SEEN = `
/** First and second range of rows that query \`row\` sees. */
fn seenRanges(row: u32) -> vec4i {
  let seen = vec4i(visible[row * 4u], visible[row * 4u + 1u], visible[row * 4u + 2u], visible[row * 4u + 3u]);
  return vec4i(seen.xyz, select(seen.w, seen.w + params.extend, seen.w > seen.z));
}
fn sees(ranges: vec4i, row: i32) -> bool { return (row >= ranges.x && row < ranges.y) || (row >= ranges.z && row < ranges.w); }`;

/** Walks through the rows that the lanes' queries see; the lanes load their keys and values as k and v. */
function walkSeen(block: RowBlock, kv: string, body: string): string {
  const ranges = Array.from({ length: block.rowsALane }, (_, r) => [`seen${r}.xy`, `seen${r}.zw`]).flat();
  return block.walk(ranges, `
      ${block.eachLoad((l) => `let start${l} = ${block.loadedRow(l)} * params.kvColumns + kvHead + part${l}; let k${l} = ${kv}[start${l} + params.kOffset]; let v${l} = ${kv}[start${l} + params.vOffset];`)}
      ${body}`);
}

const KV_HEAD = "let kvHead = (head * params.kvHeads / params.heads) * params.parts;";

function forwardCode(block: RowBlock): string {
  return `
${SEEN}
const NOTHING = -0x20000000;
/** 2^exponent, exponent <= 0; 0 where f32 cannot tell. */
fn power(exponent: i32) -> f32 { return bitcast<f32>(u32(max(exponent, -127) + 127) << 23u); }
fn kernel(group: u32, lane: u32) {
  ${block.place("params.heads")}
  ${KV_HEAD}
  let scale = params.scale * 1.4426950408889634; // exp(x) = 2^(x · log2 e)
  ${block.eachRow((r) => `
  let seen${r} = select(vec4i(0), seenRanges(row${r}), inside${r});
  let qStart${r} = row${r} * params.qColumns + params.qOffset + head * params.parts;
  ${block.readOwn({ [`q${r}`]: `scale * q[qStart${r} + i]` })}
  ${block.zeros(`sum${r}`)}
  var largest${r} = NOTHING; // exponent of the largest weight
  var total${r} = 0.0;`)}
  ${walkSeen(block, "kv", `
      ${block.eachStep((s) => `
      ${block.eachRow((r) => `var score${s}_${r} = 0.0;`)}
      ${block.handRound("k", s, (r, i) => `score${s}_${r} += dot(q${r}_${i}, part);`)}
      ${block.eachRow((r) => `
      let sees${s}_${r} = sees(seen${r}, at + ${s});
      let whole${s}_${r} = floor(score${s}_${r});
      let exponent${s}_${r} = select(NOTHING, i32(whole${s}_${r}), sees${s}_${r});`)}`)}
      ${block.eachRow((r) => `
      let before${r} = largest${r};
      ${block.eachStep((s) => `largest${r} = max(largest${r}, exponent${s}_${r});`)}
      let shrink${r} = power(before${r} - largest${r});
      total${r} *= shrink${r};
      ${block.eachPart((i) => `sum${r}_${i} *= shrink${r};`)}`)}
      ${block.eachStep((s) => `
      ${block.eachRow((r) => `
      let p${s}_${r} = select(0.0, exp2(score${s}_${r} - whole${s}_${r}) * power(exponent${s}_${r} - largest${r}), sees${s}_${r});
      total${r} += p${s}_${r};`)}
      ${block.handRound("v", s, (r, i) => `sum${r}_${i} += p${s}_${r} * part;`)}`)}`)}
  ${block.eachRow((r) => `
  if (inside${r}) {
    let pair = row${r} * params.heads + head;
    let share = select(0.0, 1.0 / total${r}, total${r} > 0.0);
    ${block.writeOwn({ [`sum${r}`]: (part) => `out[pair * params.parts + i] = ${part} * share;` })}
    lse[pair] = select(0.0, f32(largest${r}) * 0.6931471805599453 + log(total${r}), total${r} > 0.0);
  }`)}
}`;
}

/** dQ, and for the keys' pass each pair's norms: lse, and Σ dOut · out. */
function queriesCode(block: RowBlock): string {
  return `
${SEEN}
fn kernel(group: u32, lane: u32) {
  ${block.place("params.heads")}
  ${KV_HEAD}
  ${block.eachRow((r) => `
  let seen${r} = select(vec4i(0), seenRanges(row${r}), inside${r});
  let pair${r} = row${r} * params.heads + head;
  let qStart${r} = row${r} * params.qColumns + params.qOffset + head * params.parts;
  let dStart${r} = pair${r} * params.parts;
  ${block.readOwn({ [`q${r}`]: `params.scale * qkv[qStart${r} + i]`, [`d${r}`]: `dOut[dStart${r} + i]` })}
  ${block.zeros(`sum${r}`)}
  let lse${r} = lse[pair${r}];
  var delta${r} = 0.0;
  for (var i = 0u; i < params.parts; i++) { delta${r} += dot(dOut[dStart${r} + i], out[dStart${r} + i]); }`)}
  ${walkSeen(block, "qkv", block.eachStep((s) => `{
      ${block.eachRow((r) => `var score${r} = 0.0; var dp${r} = 0.0;`)}
      ${block.handRound("k", s, (r, i) => `score${r} += dot(q${r}_${i}, part);`)}
      ${block.handRound("v", s, (r, i) => `dp${r} += dot(d${r}_${i}, part);`)}
      ${block.eachRow((r) => `let ds${r} = select(0.0, exp(score${r} - lse${r}) * (dp${r} - delta${r}), sees(seen${r}, at + ${s}));`)}
      ${block.handRound("k", s, (r, i) => `sum${r}_${i} += ds${r} * part;`)}
      }`))}
  ${block.eachRow((r) => `
  if (inside${r}) {
    ${block.writeOwn({ [`sum${r}`]: (part) => `dQkv[qStart${r} + i] = params.scale * ${part};` })}
    norms[pair${r}] = vec2f(lse${r}, delta${r});
  }`)}
}`;
}

/** dK and dV, summed over the heads of the key's group, and for each over the queries that see it. */
function keysCode(block: RowBlock): string {
  const { steps } = block;
  return `
fn kernel(group: u32, lane: u32) {
  ${block.place("params.kvHeads")}
  let perGroup = params.heads / params.kvHeads;
  ${block.eachRow((r) => `
  let own${r} = select(vec2i(0), vec2i(seenBy[row${r} * 2u], seenBy[row${r} * 2u + 1u]), inside${r});
  let start${r} = row${r} * params.kvColumns + head * params.parts;
  ${block.readOwn({ [`k${r}`]: `params.scale * qkv[start${r} + params.kOffset + i]`, [`v${r}`]: `qkv[start${r} + params.vOffset + i]` })}
  ${block.zeros(`dk${r}`)}
  ${block.zeros(`dv${r}`)}`)}
  for (var h = head * perGroup; h < (head + 1u) * perGroup; h++) {
  ${block.walk(Array.from({ length: block.rowsALane }, (_, r) => `own${r}`), `
      let ownNorms = norms[min(u32(at) + lane % ${steps}u, last) * params.heads + h];
      ${block.eachLoad((l) => `let query${l} = ${block.loadedRow(l)}; let q${l} = qkv[query${l} * params.qColumns + params.qOffset + h * params.parts + part${l}]; let d${l} = dOut[(query${l} * params.heads + h) * params.parts + part${l}];`)}
      ${block.eachStep((s) => `{
      ${block.eachRow((r) => `var score${r} = 0.0; var dp${r} = 0.0;`)}
      ${block.handRound("q", s, (r, i) => `score${r} += dot(k${r}_${i}, part);`)}
      ${block.handRound("d", s, (r, i) => `dp${r} += dot(v${r}_${i}, part);`)}
      let norm = subgroupBroadcast(ownNorms, ${s}u);
      ${block.eachRow((r) => `
      let p${r} = select(0.0, exp(score${r} - norm.x), at + ${s} >= own${r}.x && at + ${s} < own${r}.y);
      let ds${r} = p${r} * (dp${r} - norm.y);`)}
      ${block.handRound("d", s, (r, i) => `dv${r}_${i} += p${r} * part;`)}
      ${block.handRound("q", s, (r, i) => `dk${r}_${i} += ds${r} * part;`)}
      }`)}`)}
  }
  ${block.eachRow((r) => `
  if (inside${r}) {
    ${block.writeOwn({
      [`dk${r}`]: (part) => `dQkv[start${r} + params.kOffset + i] = params.scale * ${part};`,
      [`dv${r}`]: (part) => `dQkv[start${r} + params.vOffset + i] = ${part};`,
    })}
  }`)}
}`;
}
