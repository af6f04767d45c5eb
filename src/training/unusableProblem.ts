/**
 * A problem that the policy cannot be shown: its picture cannot be read or resized, its words are not in the
 * vocabulary, its prompt is too long. A source passes over such a problem, or ends the run (problemSource.ts).
 */
export class UnusableProblemError extends Error {
  override readonly name: string = "UnusableProblemError";
}

/** An example whose problem can be shown, but whose response cannot be trained on. */
export class UnusableResponseError extends UnusableProblemError {
  override readonly name = "UnusableResponseError";
}

/** Null for a problem that can no longer be used. */
export async function usableOrNull<T>(loading: Promise<T>): Promise<T | null> {
  try {
    return await loading;
  } catch (error) {
    if (error instanceof UnusableProblemError) return null;
    throw error;
  }
}
