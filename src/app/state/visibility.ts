/** Visibility and wake lock: no drawing in a hidden tab, no sleeping screen during training. */
import type { PlaygroundController } from "./playgroundController";

/** Draw the newest state when the tab becomes visible. */
export function followVisibility(playground: PlaygroundController): () => void {
  const show = (): void => {
    if (!document.hidden) playground.live.flush();
  };
  document.addEventListener("visibilitychange", show);
  return () => document.removeEventListener("visibilitychange", show);
}

/** Hold a screen wake lock while training plays. Browsers release it in hidden tabs, so it is requested again. */
export function keepAwake(playground: PlaygroundController): () => void {
  if (!("wakeLock" in navigator)) return () => undefined;
  let lock: WakeLockSentinel | null = null;
  const follow = (): void => {
    const wanted = playground.live.run.store.getState().playing && !document.hidden;
    if (wanted && lock === null) {
      navigator.wakeLock.request("screen").then(
        (granted) => {
          lock = granted;
          granted.addEventListener("release", () => {
            lock = null;
          });
        },
        // Low battery or a policy may forbid it: training continues, the screen may sleep.
        (reason: unknown) => console.info("The screen may sleep while training:", reason),
      );
    }
    if (!wanted && lock !== null) {
      void lock.release();
      lock = null;
    }
  };
  const stop = playground.live.run.store.subscribe((state, before) => {
    if (state.playing !== before.playing) follow();
  });
  document.addEventListener("visibilitychange", follow);
  return () => {
    stop();
    document.removeEventListener("visibilitychange", follow);
    void lock?.release();
  };
}
