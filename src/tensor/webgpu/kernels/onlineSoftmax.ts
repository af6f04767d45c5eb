/**
 * Softmax over keys as they come (Milakov & Gimelshein 2018), as WGSL text for the rows of a RowBlock. Departure: the
 * running maximum is kept as a power of two, so that to scale by another one rounds nothing, and a row's result depends
 * on the order of its keys but not on how many are taken at once or what lies beside them.
 */
import type { RowBlock } from "./rowBlock";

export const SOFTMAX = `
const LOG2_E = 1.4426950408889634; // exp(x) = 2^(x · log2 e)
const NOTHING = -0x20000000;
/** 2^exponent, exponent <= 0; 0 where f32 cannot tell. */
fn power(exponent: i32) -> f32 { return bitcast<f32>(u32(max(exponent, -127) + 127) << 23u); }`;

/**
 * Registers of row `r`: its scaled query q, sums of values, the exponent of the largest weight and the sum of weights.
 */
export const startRow = (block: RowBlock, r: number): string => `
  let qStart${r} = row${r} * params.qColumns + params.qOffset + head * params.parts;
  ${block.readOwn({ [`q${r}`]: `params.scale * LOG2_E * q[qStart${r} + i]` })}
  ${block.zeros(`sum${r}`)}
  var largest${r} = NOTHING;
  var total${r} = 0.0;`;

/**
 * Takes the keys 0, 1 … of a step into row `r`: from score{key}_{r} and sees{key}_{r} their weights p{key}_{r}, by
 * which the caller is to add up the values.
 */
export const weigh = (block: RowBlock, r: number, keys: number): string => {
  const eachKey = (text: (key: number) => string): string =>
    Array.from({ length: keys }, (_, key) => text(key)).join("\n");
  return `
      let before${r} = largest${r};
      ${eachKey(
        (s) => `
      let whole${s}_${r} = floor(score${s}_${r});
      let exponent${s}_${r} = select(NOTHING, i32(whole${s}_${r}), sees${s}_${r});
      largest${r} = max(largest${r}, exponent${s}_${r});`,
      )}
      let shrink${r} = power(before${r} - largest${r});
      total${r} *= shrink${r};
      ${block.eachPart((i) => `sum${r}_${i} *= shrink${r};`)}
      ${eachKey(
        (s) => `
      let e${s}_${r} = exp2(score${s}_${r} - whole${s}_${r});
      let p${s}_${r} = select(0.0, e${s}_${r} * power(exponent${s}_${r} - largest${r}), sees${s}_${r});
      total${r} += p${s}_${r};`,
      )}`;
};

/** Stores row `r`; one that saw nothing is 0. */
export const finishRow = (block: RowBlock, r: number): string => `
  if (inside${r}) {
    let pair = row${r} * params.heads + head;
    let share = select(0.0, 1.0 / total${r}, total${r} > 0.0);
    ${block.writeOwn({ [`sum${r}`]: (part) => `out[pair * params.parts + i] = ${part} * share;` })}
    lse[pair] = select(0.0, f32(largest${r}) / LOG2_E + log(total${r}), total${r} > 0.0);
  }`;
