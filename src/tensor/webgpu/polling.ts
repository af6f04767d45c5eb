/**
 * How Node waits for the GPU. Dawn's binding (npm `webgpu` 0.6.2) polls by calling the global `setImmediate` in a loop
 * while anything is awaited: 70,000 times in a training step on lavapipe, which takes a whole core from a software
 * adapter (a quarter of the step's processor time). This module polls without delay for a moment, so that short waits
 * stay short, and then once per millisecond. To be removed when the binding waits by itself.
 */

/** Milliseconds of polling without delay. */
const EAGER = 1;
const PAUSE = 1;
/** A longer silence means that a new wait has begun. */
const SILENCE = 50;

type Immediate = (callback: (...values: unknown[]) => void, ...values: unknown[]) => unknown;

/** Only native functions poll this way; what JavaScript passes to `setImmediate` is not delayed. */
const isNative = (callback: unknown): boolean =>
  typeof callback === "function" &&
  callback.name === "" &&
  Function.prototype.toString.call(callback).includes("[native code]");

/** @param now milliseconds */
export function pausing(
  immediate: Immediate,
  later: (callback: () => void, milliseconds: number) => unknown,
  now: () => number,
): Immediate {
  let [began, last] = [-Infinity, -Infinity];
  return (callback, ...values) => {
    if (!isNative(callback)) return immediate(callback, ...values);
    const time = now();
    if (time - last > SILENCE) began = time;
    last = time;
    return time - began < EAGER ? immediate(callback, ...values) : later(() => callback(...values), PAUSE);
  };
}

/** Replaces the global `setImmediate` of this process. Call once. */
export function pauseWhileWaiting(): void {
  const { setImmediate: immediate } = globalThis;
  const paused = pausing(immediate, setTimeout, () => performance.now());
  Object.defineProperties(paused, Object.getOwnPropertyDescriptors(immediate)); // util.promisify's own way, too
  Reflect.set(globalThis, "setImmediate", paused);
}
