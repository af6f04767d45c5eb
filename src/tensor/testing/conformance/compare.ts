/** Running one case on two backends and measuring how far they are apart. */
import type { Backend } from "../../backend";
import { type Agreement, type Output, Probe } from "./probe";

/** What a case does on a backend, through a probe. */
export type CaseBody = (probe: Probe) => void;

/** Largest difference allowed, relative to the largest value of the reference tensor. */
export const TOLERANCE: Readonly<Record<Agreement, number>> = { forward: 1e-4, gradient: 1e-3, f16: 1e-3, exact: 0 };

export interface OutputError {
  readonly output: string;
  readonly error: number;
  readonly tolerance: number;
}

export interface ErrorReport {
  /** One entry for each compared tensor. */
  readonly errors: readonly OutputError[];
  /** A sentence for each output beyond its tolerance; empty when the backend conforms. */
  readonly failures: readonly string[];
}

/** Largest absolute difference over the largest reference magnitude; Infinity where finiteness differs. */
export function relativeError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  compared: (index: number) => boolean = () => true,
): number {
  if (actual.length !== expected.length) return Infinity;
  let [difference, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (!compared(i)) continue;
    const [a, e] = [actual[i]!, expected[i]!];
    if (Object.is(a, e)) continue;
    if (!Number.isFinite(a) || !Number.isFinite(e)) return Infinity;
    difference = Math.max(difference, Math.abs(a - e));
  }
  for (let i = 0; i < expected.length; i++)
    if (compared(i) && Number.isFinite(expected[i]!)) largest = Math.max(largest, Math.abs(expected[i]!));
  return largest > 0 ? difference / largest : difference;
}

async function outputsOn(backend: Backend, body: CaseBody, seed: number): Promise<Output[]> {
  const probe = new Probe(backend, seed);
  try {
    body(probe);
    return await probe.outputs();
  } finally {
    probe.dispose();
  }
}

/** Run `body` on both backends with the same inputs. Errors thrown by either backend are passed on. */
export async function compareBackends(
  body: CaseBody,
  seed: number,
  backend: Backend,
  reference: Backend,
): Promise<ErrorReport> {
  const expected = await outputsOn(reference, body, seed);
  const actual = await outputsOn(backend, body, seed);
  const errors = expected.map(
    (output, i): OutputError => ({
      output: output.name,
      error: relativeError(actual[i]?.values ?? [], output.values, output.compared),
      tolerance: TOLERANCE[output.agreement],
    }),
  );
  const failures = errors
    .filter((e) => !(e.error <= e.tolerance))
    .map((e) => `${e.output}: error ${e.error.toExponential(2)} of the largest value, at most ${e.tolerance} allowed`);
  return { errors, failures };
}
