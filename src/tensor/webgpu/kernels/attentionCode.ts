/** WGSL of the attention kernels, for one head size and vector width. */

export interface HeadLayout {
  readonly key: string;
  readonly headDim: number;
  readonly vector: 1 | 4;
  /** "vec4f" or "f32". */
  readonly element: string;
}

/** A loop over the parts of a head, unrolled: part counts are small and registers need constant indices. */
function each({ headDim, vector }: HeadLayout, statement: (part: number) => string): string {
  return Array.from({ length: headDim / vector }, (_, part) => statement(part)).join("\n      ");
}

function dotSum(layout: HeadLayout, term: (part: number) => [string, string]): string {
  const terms = Array.from({ length: layout.headDim / layout.vector }, (_, part) => {
    const [a, b] = term(part);
    return layout.vector === 4 ? `dot(${a}, ${b})` : `${a} * ${b}`;
  });
  return terms.join(" + ");
}

const constants = (layout: HeadLayout): string => `
const PARTS = ${layout.headDim / layout.vector}u;
// Where head h's key/value head begins in a row: kvHead · PARTS.
fn kvStart(head: u32) -> u32 { return (head * params.kvHeads / params.heads) * PARTS; }`;

/** Runs `body` for every row j that query `row` sees, in order. */
const forVisible = (body: string): string => `
  let seen = vec4i(visible[row * 4u], visible[row * 4u + 1u], visible[row * 4u + 2u], visible[row * 4u + 3u]);
  let secondEnd = select(seen.w, seen.w + params.extend, seen.w > seen.z);
  for (var range = 0u; range < 2u; range++) {
    let start = u32(select(seen.x, seen.z, range == 1u));
    let end = u32(max(0, select(seen.y, secondEnd, range == 1u)));
    for (var j = start; j < end; j++) {
      ${body}
    }
  }`;

export function forwardCode(layout: HeadLayout): string {
  const { element } = layout;
  return `
${constants(layout)}
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.heads;
  if (row >= params.rows) { return; }
  let head = item % params.heads;
  let qStart = row * params.qColumns + params.qOffset + head * PARTS;
  ${each(layout, (i) => `let q${i} = q[qStart + ${i}u]; var o${i} = ${element}(0.0);`)}
  var largest = -1e30;
  var total = 0.0;
  ${forVisible(`
      let k = j * params.kvColumns + params.kOffset + kvStart(head);
      let v = j * params.kvColumns + params.vOffset + kvStart(head);
      let score = params.scale * (${dotSum(layout, (i) => [`q${i}`, `kv[k + ${i}u]`])});
      if (score > largest) {
        let shrink = exp(largest - score);
        largest = score;
        total *= shrink;
        ${each(layout, (i) => `o${i} *= shrink;`)}
      }
      let p = exp(score - largest);
      total += p;
      ${each(layout, (i) => `o${i} += p * kv[v + ${i}u];`)}`)}
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  let at = item * PARTS;
  ${each(layout, (i) => `out[at + ${i}u] = o${i} * inverse;`)}
  lse[item] = select(0.0, largest + log(total), total > 0.0);
}`;
}

/** dQ of one (query, head), and delta = Σ dOut · out for the keys' pass. */
export function backwardQueriesCode(layout: HeadLayout): string {
  const { element } = layout;
  return `
${constants(layout)}
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.heads;
  if (row >= params.rows) { return; }
  let head = item % params.heads;
  let qStart = row * params.qColumns + params.qOffset + head * PARTS;
  let at = item * PARTS;
  ${each(layout, (i) => `let q${i} = qkv[qStart + ${i}u]; let d${i} = dOut[at + ${i}u]; var g${i} = ${element}(0.0);`)}
  let own = ${dotSum(layout, (i) => [`d${i}`, `out[at + ${i}u]`])};
  delta[item] = own;
  let norm = lse[item];
  ${forVisible(`
      let k = j * params.kvColumns + params.kOffset + kvStart(head);
      let v = j * params.kvColumns + params.vOffset + kvStart(head);
      let p = exp(params.scale * (${dotSum(layout, (i) => [`q${i}`, `qkv[k + ${i}u]`])}) - norm);
      let ds = p * params.scale * (${dotSum(layout, (i) => [`d${i}`, `qkv[v + ${i}u]`])} - own);
      ${each(layout, (i) => `g${i} += ds * qkv[k + ${i}u];`)}`)}
  ${each(layout, (i) => `dQkv[qStart + ${i}u] = g${i};`)}
}`;
}

/** dK and dV of one (key, kvHead), summed over the queries that see it and the heads of its group. */
export function backwardKeysCode(layout: HeadLayout): string {
  const { element } = layout;
  return `
${constants(layout)}
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.kvHeads;
  if (row >= params.rows) { return; }
  let kvHead = item % params.kvHeads;
  let perGroup = params.heads / params.kvHeads;
  let kStart = row * params.kvColumns + params.kOffset + kvHead * PARTS;
  let vStart = row * params.kvColumns + params.vOffset + kvHead * PARTS;
  ${each(layout, (i) => `let k${i} = qkv[kStart + ${i}u]; let v${i} = qkv[vStart + ${i}u]; var dk${i} = ${element}(0.0); var dv${i} = ${element}(0.0);`)}
  let end = u32(max(0, seenBy[row * 2u + 1u]));
  for (var n = u32(seenBy[row * 2u]); n < end; n++) {
    for (var head = kvHead * perGroup; head < (kvHead + 1u) * perGroup; head++) {
      let pair = n * params.heads + head;
      let q = n * params.qColumns + params.qOffset + head * PARTS;
      let d = pair * PARTS;
      let p = exp(params.scale * (${dotSum(layout, (i) => [`k${i}`, `qkv[q + ${i}u]`])}) - lse[pair]);
      let ds = p * params.scale * (${dotSum(layout, (i) => [`v${i}`, `dOut[d + ${i}u]`])} - delta[pair]);
      ${each(layout, (i) => `dv${i} += p * dOut[d + ${i}u]; dk${i} += ds * qkv[q + ${i}u];`)}
    }
  }
  ${each(layout, (i) => `dQkv[kStart + ${i}u] = dk${i}; dQkv[vStart + ${i}u] = dv${i};`)}
}`;
}
