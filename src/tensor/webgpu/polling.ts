/**
 * How Node waits for the GPU. Dawn's binding (npm `webgpu` 0.6.2) asks whether something is done by calling the global
 * `setImmediate` again and again for as long as anything is awaited: 70,000 times in a training step on lavapipe, a
 * whole core that a software adapter would have computed on (a quarter of the step's processor time). Here it asks at
 * once for a moment, so that short waits stay short, and then once a millisecond. To be removed when the binding waits
 * by itself.
 */

/** Milliseconds of asking without a pause. */
const EAGER = 1;
const PAUSE = 1;
/** A longer silence means that another wait has begun. */
const SILENCE = 50;

type Immediate = (callback: (...values: unknown[]) => void, ...values: unknown[]) => unknown;

/** Only functions made in native code ask this way; what JavaScript hands to `setImmediate` is not delayed. */
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
