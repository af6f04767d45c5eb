/**
 * Random streams of a session. Every draw is a pure function of counters (src/tensor/random.ts), so a stream
 * is nothing but a number range for the `step` counter: the state of all randomness is the seed and how far
 * each counter has come, which a snapshot holds as plain integers.
 */
import { randomUniform } from "../tensor/random";

/** Who draws; each stream owns 2²⁴ consecutive step counters. */
const STREAMS = {
  base: 1,
  sft: 2,
  grpo: 3,
  sample: 4,
  evaluate: 5,
  shuffle: 6,
  refill: 7,
  rethinking: 8,
  replay: 9,
  failures: 10,
} as const;
export type StreamName = keyof typeof STREAMS;

const STREAM_LENGTH = 0x1000000;

/** The step counter for draw number `count` of a stream. */
export function streamStep(stream: StreamName, count: number): number {
  return STREAMS[stream] * STREAM_LENGTH + (count % STREAM_LENGTH);
}

/** Draws of one step, refills included; a step's draws are numbered on from `step` · this. */
const DRAWS = 64;

/** The step counter for refill number `refill` (0-based, below 64) of a step. */
export function refillStream(step: number, refill: number): number {
  return streamStep("refill", step * DRAWS + refill);
}

/** The step counter for the continued responses of draw number `draw` (0 the first, then refills) of a step. */
export function rethinkingStream(step: number, draw: number): number {
  return streamStep("rethinking", step * DRAWS + draw);
}

/** A permutation of 0…n−1 (Fisher–Yates), fixed by the seed and the epoch. */
export function permutation(n: number, seed: number, epoch: number): number[] {
  const order = Array.from({ length: n }, (_, index) => index);
  const step = streamStep("shuffle", epoch);
  for (let last = n - 1; last > 0; last--) {
    const pick = Math.floor(randomUniform(seed, step, last, 0) * (last + 1));
    const moved = order[last] ?? last;
    order[last] = order[pick] ?? pick;
    order[pick] = moved;
  }
  return order;
}

/** The endless stream of 0…n−1, shuffled anew each epoch. → the item at a position */
export function shuffledStream(n: number, seed: number): (position: number) => number {
  const orders = new Map<number, readonly number[]>();
  return (position) => {
    const epoch = Math.floor(position / n);
    const order = orders.get(epoch) ?? permutation(n, seed, epoch);
    orders.set(epoch, order);
    return order[position % n] ?? 0;
  };
}
