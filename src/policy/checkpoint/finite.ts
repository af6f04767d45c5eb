/** Weights that are not finite: found as they stream, named with how many there are and where the first is. */
import { CheckpointError } from "./checkpointFiles";

/** What a tensor's values are checked for while its pieces pass by. */
export class FiniteCheck {
  private count = 0;
  private first: { readonly at: number; readonly value: number } | null = null;

  /**
   * @param where file and tensor, for the message
   * @param shape of the whole tensor
   * @param largest the largest magnitude that the storage holds, which a finite value must not exceed
   */
  constructor(
    private readonly where: string,
    private readonly shape: readonly number[],
    private readonly largest = Infinity,
  ) {}

  /** @param start index of the first value in the whole tensor */
  see(values: Float32Array, start = 0): void {
    // x − x is 0 for a finite x and NaN for any other: one sum decides for all of them.
    let [sum, magnitude] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? NaN;
      sum += value - value;
      magnitude = Math.max(magnitude, Math.abs(value));
    }
    if (sum === 0 && magnitude <= this.largest) return;
    values.forEach((value, i) => {
      if (Math.abs(value) <= Math.min(this.largest, Number.MAX_VALUE)) return;
      this.count++;
      this.first ??= { at: start + i, value };
    });
  }

  /** @throws CheckpointError when any value seen cannot be computed with */
  end(): void {
    if (this.first === null) return;
    const { at, value } = this.first;
    const found = `${this.count} of ${this.shape.reduce((product, n) => product * n, 1)} values`;
    const place = `the first is ${value} at [${position(at, this.shape).join(", ")}]`;
    throw new CheckpointError(
      Number.isFinite(value)
        ? `${this.where}: ${found} exceed ${this.largest}, the largest that this packing holds; ${place}. Load it ` +
            "with --packing f32."
        : `${this.where}: ${found} are not finite; ${place}. Every number computed with them would be NaN: fetch or ` +
            "save the file again. --allow-non-finite loads it all the same.",
    );
  }
}

/** Indices along each axis of the `at`-th value. */
function position(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .toReversed();
}
