/**
 * The conformance suite: every kernel of kernels.ts, on small seeded random inputs, run on a backend and on the
 * reference and compared. A backend that passes may host the policy; the self-test at start-up runs a few of the cases.
 *
 *   for (const c of conformanceCases()) test(c.name, async () => expect((await c.run(backend,
 *   reference)).failures).toEqual([]));
 */

import type { Backend } from "../../backend";
import { attentionCases } from "./attentionCases";
import { compareBackends, type ErrorReport } from "./compare";
import { copyRowsCases, f16CacheCases, ropeToCacheCases } from "./kvCacheCases";
import { linearMapCases } from "./linearCases";
import { objectiveCases } from "./objectiveCases";
import { ropeCases } from "./ropeCases";
import { stepCases } from "./stepCases";

export { type ErrorReport, type OutputError, relativeError, TOLERANCE } from "./compare";

export interface ConformanceCase {
  /** Begins with the kernel's name. */
  readonly name: string;
  /** Compare `backend` with `reference` on the same inputs. Rejects with whatever a backend throws. */
  run(backend: Backend, reference: Backend): Promise<ErrorReport>;
}

/** All cases, in a fixed order with fixed seeds. */
export function conformanceCases(): ConformanceCase[] {
  const bodies = [
    ...linearMapCases(),
    ...attentionCases(),
    ...copyRowsCases(),
    ...ropeCases(),
    ...ropeToCacheCases(),
    ...f16CacheCases(),
    ...objectiveCases(),
    ...stepCases(),
  ];
  return bodies.map(([name, body], i) => ({
    name,
    run: (backend, reference) => compareBackends(body, 1000 + i, backend, reference),
  }));
}
