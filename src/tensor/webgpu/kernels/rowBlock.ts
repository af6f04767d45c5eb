/**
 * The rows that a workgroup of attentionBlocks.ts has, in the registers of the lanes of one subgroup, as WGSL text: a
 * lane has every lanes-th row, `name_0`, `name_1` … are the vec4s of a head of one. Registers are named one by one: an
 * array would live in memory.
 */

/** vec4s of a step of the walk: more make the shader long, and slow to compile. */
const LONGEST_STEP = 16;

/** Buffer `visible` and parameter `cacheOffset`. */
export const SEEN = `
/** First and second range of rows that query \`row\` sees. */
fn seenRanges(row: u32) -> vec4i {
  let seen = vec4i(visible[row * 4u], visible[row * 4u + 1u], visible[row * 4u + 2u], visible[row * 4u + 3u]);
  return vec4i(seen.xyz, select(seen.w, seen.w + params.cacheOffset, seen.w > seen.z));
}
fn sees(ranges: vec4i, row: i32) -> bool {
  return (row >= ranges.x && row < ranges.y) || (row >= ranges.z && row < ranges.w);
}`;

type Text = (i: number) => string;
const each = (count: number, text: Text, between = "\n"): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(between);

export class RowBlock {
  /** vec4s of a head. */
  readonly parts: number;
  /** Rows that one step of the walk loads, chosen to waste the least of a load. */
  readonly steps: number;
  /**
   * vec4s that a lane loads of a step's rows: element e is part e % parts of row e / parts, and lane e % lanes loads
   * it.
   */
  readonly loads: number;
  readonly rows: number;

  constructor(
    headDim: number,
    readonly lanes: number,
    readonly rowsALane: number,
  ) {
    this.parts = headDim / 4;
    const loads = (steps: number): number => Math.ceil((steps * this.parts) / lanes);
    const choices = [1, 2, 3, 4].filter((steps) => steps === 1 || steps * this.parts <= LONGEST_STEP);
    this.steps = choices.reduce((best, steps) => (loads(steps) * best < loads(best) * steps ? steps : best));
    this.loads = loads(this.steps);
    this.rows = lanes * rowsALane;
  }

  eachRow(text: Text, between = "\n"): string {
    return each(this.rowsALane, text, between);
  }

  eachStep(text: Text): string {
    return each(this.steps, text);
  }

  eachPart(text: Text): string {
    return each(this.parts, text);
  }

  eachLoad(text: Text): string {
    return each(this.loads, text);
  }

  /**
   * For every part of a step's row, held in the loads `name`: `part`, the same on all lanes, and the statement of each
   * of the lane's rows.
   */
  handRound(name: string, step: number, statement: (row: number, part: number) => string): string {
    return this.eachPart((i) => {
      const element = step * this.parts + i;
      const part = `subgroupBroadcast(${name}${Math.floor(element / this.lanes)}, ${element % this.lanes}u)`;
      return `{ let part = ${part}; ${this.eachRow((r) => statement(r, i), " ")} }`;
    });
  }

  /**
   * Which rows and which of `heads` heads the lanes have, and what each lane loads of a step of the walk through
   * `walked` rows. Lanes beyond the last row are not inside and take it again.
   */
  place(heads: string, walked: string): string {
    return `
  let head = group % ${heads};
  let first = (group / ${heads}) * ${this.rows}u + lane;
  let last = ${walked} - 1u;
  let kvHead = (head * params.kvHeads / ${heads}) * params.parts;
  ${this.eachRow(
    (r) => `
  let inside${r} = first + ${r * this.lanes}u < params.rows;
  let row${r} = min(first + ${r * this.lanes}u, params.rows - 1u);`,
  )}
  ${this.eachLoad(
    (l) => `
  let element${l} = min(lane + ${l * this.lanes}u, ${this.steps * this.parts - 1}u);
  let step${l} = element${l} / ${this.parts}u;
  let part${l} = element${l} % ${this.parts}u;`,
  )}`;
  }

  /** The row that a lane loads from, for each of its loads. */
  loadedRow(load: number): string {
    return `min(u32(at) + step${load}, last)`;
  }

  /** A step's keys and values as k0, v0, k1 … @param element a vec4 of the matrix of keys and values */
  loadKeys(element: (at: string) => string): string {
    return this.eachLoad(
      (l) =>
        `let start${l} = ${this.loadedRow(l)} * params.kvColumns + kvHead + part${l}; let k${l} = ` +
        `${element(`start${l} + params.kOffset`)}; let v${l} = ${element(`start${l} + params.vOffset`)};`,
    );
  }

  zeros(name: string): string {
    return this.eachPart((i) => `var ${name}_${i} = vec4f(0.0);`);
  }

  /**
   * Registers name_0, name_1 … from part `i` of a lane's own row. A loop to a run-time bound: unrolled, loads and
   * stores are most of the compile time.
   */
  readOwn(reads: Readonly<Record<string, string>>): string {
    const entries = Object.entries(reads);
    const kept = (name: string): string =>
      this.eachPart((i) => `${name}_${i} = select(${name}_${i}, part, i == ${i}u);`);
    return `
  ${entries.map(([name]) => this.zeros(name)).join("\n")}
  for (var i = 0u; i < params.parts; i++) {
    ${entries.map(([name, source]) => `{ let part = ${source}; ${kept(name)} }`).join("\n")}
  }`;
  }

  /** Part `i` of a lane's registers `name`. */
  ownPart(name: string): string {
    return `var part = ${name}_0; ${this.eachPart((i) => `part = select(part, ${name}_${i}, i == ${i}u);`)}`;
  }

  writeOwn(writes: Readonly<Record<string, (part: string) => string>>): string {
    return `
  for (var i = 0u; i < params.parts; i++) {
    ${Object.entries(writes)
      .map(([name, store]) => `{ ${this.ownPart(name)} ${store("part")} }`)
      .join("\n")}
  }`;
  }

  /**
   * Walks in steps through the rows in which a range of any lane lies, each once; ranges that lie apart one after
   * another.
   * @param ranges the lane's own @param body has `at`, the first row of the step
   */
  walk(ranges: readonly string[], body: string): string {
    const nearest = (combine: string, text: (range: string) => string): string =>
      ranges.map(text).reduce((a, b) => `${combine}(${a}, ${b})`);
    return `
  var at = 0;
  loop {
    let begin = subgroupMin(${nearest("min", (r) => `select(0x7fffffff, max(${r}.x, at), ${r}.y > max(${r}.x, at))`)});
    if (begin == 0x7fffffff) { break; }
    let end = subgroupMax(${nearest("max", (r) => `select(begin, ${r}.y, ${r}.x <= begin)`)});
    at = begin;
    while (at < end) {
      ${body}
      at += ${this.steps};
    }
  }`;
  }
}
