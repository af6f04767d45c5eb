/**
 * Seeded random stream for tasks: sfc32 (C. Doty-Humphrey, PractRand), 128 bits of state, u32 arithmetic
 * only, so a seed gives the same problem on every platform. The state is filled from the seed words by the
 * "lowbias32" finaliser (C. Wellons, 2018), then stirred twelve times, as PractRand does.
 */
function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

/** 32-bit FNV-1a of the text's UTF-16 units, finalised by lowbias32 so that every bit depends on every character. */
export function hashText(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h >>> 0);
}

/** One 32-bit seed out of several (each taken modulo 2³²). */
export function combineSeeds(...seeds: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const seed of seeds) h = mix((Math.imul(h, 0x85ebca6b) + (seed >>> 0)) >>> 0);
  return h;
}

export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(...seeds: readonly number[]) {
    this.a = combineSeeds(...seeds, 1);
    this.b = combineSeeds(...seeds, 2);
    this.c = combineSeeds(...seeds, 3);
    for (let i = 0; i < 12; i++) this.bits();
  }

  /** 32 random bits. */
  bits(): number {
    const t = (((this.a + this.b) >>> 0) + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = (this.b ^ (this.b >>> 9)) >>> 0;
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + t) >>> 0;
    return t;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.bits() / 4294967296;
  }

  /** Uniform integer in [low, high]. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the items, each as likely. Throws on an empty list. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new Error("Random.pick: the list is empty; give at least one item to choose from");
    return item;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const rest = [...items];
    const out: T[] = [];
    while (rest.length > 0) out.push(...rest.splice(this.integer(0, rest.length - 1), 1));
    return out;
  }
}
