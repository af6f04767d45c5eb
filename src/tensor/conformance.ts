/**
 * The conformance suite: every kernel of kernels.ts, on small seeded random inputs, run on a home and on the
 * reference and compared. A home that passes may host the policy; the self-test at start-up runs a few of the cases.
 *
 *   for (const c of conformanceCases()) test(c.name, async () => expect((await c.run(home, reference)).failures).toEqual([]));
 */

import { attentionCases } from "./conformance/attentionCases";
import { compareHomes, type ErrorReport } from "./conformance/compare";
import { linearMapCases } from "./conformance/linearCases";
import { objectiveCases } from "./conformance/objectiveCases";
import { stepCases } from "./conformance/stepCases";
import type { Home } from "./home";

export { type ErrorReport, type OutputError, relativeError, TOLERANCE } from "./conformance/compare";

export interface ConformanceCase {
  /** Begins with the kernel's name. */
  readonly name: string;
  /** Compare `home` with `reference` on the same inputs. Rejects with whatever a home throws. */
  run(home: Home, reference: Home): Promise<ErrorReport>;
}

/** All cases, in a fixed order with fixed seeds. */
export function conformanceCases(): ConformanceCase[] {
  const bodies = [...linearMapCases(), ...attentionCases(), ...objectiveCases(), ...stepCases()];
  return bodies.map(([name, body], i) => ({
    name,
    run: (home, reference) => compareHomes(body, 1000 + i, home, reference),
  }));
}
