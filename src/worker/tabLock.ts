/**
 * Which tab owns a stored run: the one that holds its lock (`navigator.locks`). The lock is the training worker's, so
 * it is free as soon as the tab is closed, crashes, or its worker is stopped.
 */

/** A lock that this tab holds. */
export interface HeldLock {
  /** Resolves when another tab has taken the lock over. */
  readonly lost: Promise<void>;
  release(): void;
}

/** @param mode "ifFree": → null where another tab has it. "steal": take it from whoever has it */
export function takeLock(locks: LockManager, name: string, mode: "ifFree" | "steal"): Promise<HeldLock | null> {
  return held(locks, name, mode === "steal" ? { steal: true } : { ifAvailable: true });
}

/** Wait until the lock is free. → null when `signal` ended the wait */
export async function waitForLock(locks: LockManager, name: string, signal: AbortSignal): Promise<HeldLock | null> {
  try {
    return await held(locks, name, { signal });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function held(locks: LockManager, name: string, options: LockOptions): Promise<HeldLock | null> {
  return new Promise((resolve, reject) => {
    let lose = (): void => undefined;
    const lost = new Promise<void>((resolveLost) => {
      lose = resolveLost;
    });
    locks
      .request(name, options, (lock) => {
        if (lock === null) return resolve(null);
        return new Promise<void>((release) => resolve({ lost, release }));
      })
      // Rejects when the lock was never granted, and when it was stolen.
      .catch((error: unknown) => {
        lose();
        reject(error);
      });
  });
}
