/** The clock for all libraries. */

/**
 * Runs `work` `units` times, one after another.
 * @returns the time until the last result is available, and the host's share: the time until each `work` first waits,
 *   when everything has been recorded
 */
export async function timed(
  units: number,
  work: () => Promise<unknown>,
): Promise<{ readonly milliseconds: number; readonly hostMilliseconds: number }> {
  const began = performance.now();
  let hostMilliseconds = 0;
  for (let i = 0; i < units; i++) {
    const start = performance.now();
    const done = work();
    hostMilliseconds += performance.now() - start;
    await done;
  }
  return { milliseconds: performance.now() - began, hostMilliseconds };
}
