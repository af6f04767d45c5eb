/** The clock that all libraries are measured by. */

/**
 * `units` times `work`, one after the other.
 * @returns the time until the last result could be used, and the host's share: until each `work` first waits,
 *   everything is recorded by then
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
