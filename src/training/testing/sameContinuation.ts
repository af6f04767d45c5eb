/** Runs some phases, then goes on from the snapshots before chosen ones: everything that comes out must be the same. */
import { expect } from "vitest";
import type { PhaseResult } from "../phaseResult";
import type { Session } from "../session";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../snapshot";

/**
 * Compared as bytes and by one word: a failing deep comparison of arrays this long would take minutes to print.
 * @param fresh a session as the run begins with; it may have other settings, which the snapshot replaces
 * @param at phases to go on from
 */
export async function expectSameContinuation(
  fresh: () => Promise<Session>,
  phases: number,
  at: readonly number[],
): Promise<PhaseResult[]> {
  const uninterrupted = await fresh();
  const results: PhaseResult[] = [];
  const snapshots: Snapshot[] = [];
  for (let i = 0; i < phases; i++) {
    snapshots.push(decodeSnapshot(encodeSnapshot(await uninterrupted.snapshot())));
    results.push(await uninterrupted.phase());
  }
  const end = await uninterrupted.snapshot();
  uninterrupted.dispose();
  for (const begin of at) {
    const snapshot = snapshots[begin];
    if (snapshot === undefined) throw new Error(`there is no phase ${begin}`);
    const resumed = await fresh();
    await resumed.restore(snapshot);
    for (const [i, expected] of results.slice(begin).entries())
      expect(same(await resumed.phase(), expected), `phase ${begin + i}, from ${begin}`).toBe(true);
    const arrived = await resumed.snapshot();
    expect(same(arrived.state, end.state), `the state at the end, from ${begin}`).toBe(true);
    for (const key of ["theta", "m", "v"] as const) {
      const [a, b] = [arrived.parameters[key], end.parameters[key]];
      const equal = a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
      expect(equal, `${key}, from ${begin}`).toBe(true);
    }
    resumed.dispose();
  }
  return results;
}

/** Plain data: equal as JSON, which keeps every bit of a finite number. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
