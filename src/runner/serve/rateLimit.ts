/** A token bucket: a burst at once, then a steady rate. */
export class RateLimit {
  #left: number;
  #at: number;

  /**
   * @param burst units that may be used at once
   * @param perSecond units that come back each second
   */
  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#left = burst;
    this.#at = now();
  }

  /** Use `units`; false, and none are used, when fewer are left. */
  take(units = 1): boolean {
    const at = this.now();
    this.#left = Math.min(this.burst, this.#left + ((at - this.#at) / 1000) * this.perSecond);
    this.#at = at;
    if (this.#left < units) return false;
    this.#left -= units;
    return true;
  }
}
