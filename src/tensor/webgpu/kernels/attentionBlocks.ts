/**
 * WGSL of attention for adapters on which a workgroup is one subgroup (oneSubgroup.ts), where neighbouring rows see
 * nearly the same rows: training and prompts. Such an adapter reads memory lane by lane, with a test and a load each,
 * even when all lanes want the same value; attention by rows (attentionCode.ts) spends its time there on loads and
 * barriers. Here a workgroup handles a few neighbouring rows of one head, each in the registers of a lane, and walks
 * through all rows that any of them sees. A value is loaded once, each lane a different part, and broadcast with
 * `subgroupBroadcast` from constant lanes. No workgroup memory.
 *
 * A row that a lane does not see weighs 0 there, and what a lane sums up does not depend on the rows beside it: it adds
 * the same rows in the same order by the same operations, wherever a step of the walk begins (onlineSoftmax.ts).
 */
import { finishRow, SOFTMAX, startRow, weigh } from "./onlineSoftmax";
import { RowBlock, SEEN } from "./rowBlock";

/** Wider heads do not fit the registers. */
const WIDEST = 64;

/** Whether these kernels support heads of this width; every offset and stride must be a multiple of four. */
export const fitsBlocks = (headDim: number): boolean => headDim <= WIDEST;

/** A kernel, and how many rows of a head one workgroup handles. */
export interface AttentionBlock {
  readonly rows: number;
  readonly code: () => string;
}

/** Buffers q, kv, visible, out, lse. Two rows a lane: a load serves both. */
export function forwardBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, 2);
  return { rows: block.rows, code: () => forwardCode(block) };
}

/**
 * Buffers qkv, visible, out, lse, dOut, dQkv, norms. With eight lanes a second row would double the compile time for a
 * fifth.
 */
export function queriesBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, lanes < 8 ? 2 : 1);
  return { rows: block.rows, code: () => queriesCode(block) };
}

/** Buffers qkv, seenBy, norms, dOut, dQkv. */
export function keysBlock(headDim: number, lanes: number): AttentionBlock {
  const block = new RowBlock(headDim, lanes, lanes < 8 ? 2 : 1);
  return { rows: block.rows, code: () => keysCode(block) };
}

/** Walks through the rows that the lanes' queries see; the lanes load their keys and values as k and v. */
function walkSeen(block: RowBlock, kv: string, body: string): string {
  const ranges = Array.from({ length: block.rowsALane }, (_, r) => [`seen${r}.xy`, `seen${r}.zw`]).flat();
  return block.walk(
    ranges,
    `
      ${block.loadKeys((at) => `${kv}[${at}]`)}
      ${body}`,
  );
}

const forwardCode = (block: RowBlock): string => `
${SEEN}
${SOFTMAX}
fn kernel(group: u32, lane: u32) {
  ${block.place("params.heads", "params.keys")}
  ${block.eachRow((r) => `let seen${r} = select(vec4i(0), seenRanges(row${r}), inside${r}); ${startRow(block, r)}`)}
  ${walkSeen(
    block,
    "kv",
    `
      ${block.eachStep(
        (s) => `
      ${block.eachRow((r) => `var score${s}_${r} = 0.0; let sees${s}_${r} = sees(seen${r}, at + ${s});`)}
      ${block.handRound("k", s, (r, i) => `score${s}_${r} += dot(q${r}_${i}, part);`)}`,
      )}
      ${block.eachRow((r) => weigh(block, r, block.steps))}
      ${block.eachStep((s) => block.handRound("v", s, (r, i) => `sum${r}_${i} += p${s}_${r} * part;`))}`,
  )}
  ${block.eachRow((r) => finishRow(block, r))}
}`;

/** dQ, and for the keys' pass each pair's norms: lse, and Σ dOut · out. */
function queriesCode(block: RowBlock): string {
  return `
${SEEN}
fn kernel(group: u32, lane: u32) {
  ${block.place("params.heads", "params.rows")}
  ${block.eachRow(
    (r) => `
  let seen${r} = select(vec4i(0), seenRanges(row${r}), inside${r});
  let pair${r} = row${r} * params.heads + head;
  let qStart${r} = row${r} * params.qColumns + params.qOffset + head * params.parts;
  let dStart${r} = pair${r} * params.parts;
  ${block.readOwn({ [`q${r}`]: `params.scale * qkv[qStart${r} + i]`, [`d${r}`]: `dOut[dStart${r} + i]` })}
  ${block.zeros(`sum${r}`)}
  let lse${r} = lse[pair${r}];
  var delta${r} = 0.0;
  for (var i = 0u; i < params.parts; i++) { delta${r} += dot(dOut[dStart${r} + i], out[dStart${r} + i]); }`,
  )}
  ${walkSeen(
    block,
    "qkv",
    block.eachStep(
      (s) => `{
      ${block.eachRow((r) => `var score${r} = 0.0; var dp${r} = 0.0;`)}
      ${block.handRound("k", s, (r, i) => `score${r} += dot(q${r}_${i}, part);`)}
      ${block.handRound("v", s, (r, i) => `dp${r} += dot(d${r}_${i}, part);`)}
      ${block.eachRow(
        (r) => `
      let slope${r} = exp(score${r} - lse${r}) * (dp${r} - delta${r});
      let ds${r} = select(0.0, slope${r}, sees(seen${r}, at + ${s}));`,
      )}
      ${block.handRound("k", s, (r, i) => `sum${r}_${i} += ds${r} * part;`)}
      }`,
    ),
  )}
  ${block.eachRow(
    (r) => `
  if (inside${r}) {
    ${block.writeOwn({ [`sum${r}`]: (part) => `dQkv[qStart${r} + i] = params.scale * ${part};` })}
    norms[pair${r}] = vec2f(lse${r}, delta${r});
  }`,
  )}
}`;
}

/** dK and dV, summed over the heads of the key's group, and for each over the queries that see it. */
function keysCode(block: RowBlock): string {
  const { steps } = block;
  return `
fn kernel(group: u32, lane: u32) {
  ${block.place("params.kvHeads", "params.rows")}
  let perGroup = params.heads / params.kvHeads;
  ${block.eachRow(
    (r) => `
  let own${r} = select(vec2i(0), vec2i(seenBy[row${r} * 2u], seenBy[row${r} * 2u + 1u]), inside${r});
  let start${r} = row${r} * params.kvColumns + kvHead;
  ${block.readOwn({
    [`k${r}`]: `params.scale * qkv[start${r} + params.kOffset + i]`,
    [`v${r}`]: `qkv[start${r} + params.vOffset + i]`,
  })}
  ${block.zeros(`dk${r}`)}
  ${block.zeros(`dv${r}`)}`,
  )}
  for (var h = head * perGroup; h < (head + 1u) * perGroup; h++) {
  ${block.walk(
    Array.from({ length: block.rowsALane }, (_, r) => `own${r}`),
    `
      let ownNorms = norms[min(u32(at) + lane % ${steps}u, last) * params.heads + h];
      ${block.eachLoad(
        (l) => `
      let query${l} = ${block.loadedRow(l)};
      let q${l} = qkv[query${l} * params.qColumns + params.qOffset + h * params.parts + part${l}];
      let d${l} = dOut[(query${l} * params.heads + h) * params.parts + part${l}];`,
      )}
      ${block.eachStep(
        (s) => `{
      ${block.eachRow((r) => `var score${r} = 0.0; var dp${r} = 0.0;`)}
      ${block.handRound("q", s, (r, i) => `score${r} += dot(k${r}_${i}, part);`)}
      ${block.handRound("d", s, (r, i) => `dp${r} += dot(v${r}_${i}, part);`)}
      let norm = subgroupBroadcast(ownNorms, ${s}u);
      ${block.eachRow(
        (r) => `
      let p${r} = select(0.0, exp(score${r} - norm.x), at + ${s} >= own${r}.x && at + ${s} < own${r}.y);
      let ds${r} = p${r} * (dp${r} - norm.y);`,
      )}
      ${block.handRound("d", s, (r, i) => `dv${r}_${i} += p${r} * part;`)}
      ${block.handRound("q", s, (r, i) => `dk${r}_${i} += ds${r} * part;`)}
      }`,
      )}`,
  )}
  }
  ${block.eachRow(
    (r) => `
  if (inside${r}) {
    ${block.writeOwn({
      [`dk${r}`]: (part) => `dQkv[start${r} + params.kOffset + i] = params.scale * ${part};`,
      [`dv${r}`]: (part) => `dQkv[start${r} + params.vOffset + i] = ${part};`,
    })}
  }`,
  )}
}`;
}
