/**
 * Limits how often groups are sent: they are large (a hundred samples with four arrays each), so while playing the page
 * gets at most ten updates per second. The newest one that was held back is sent when playing stops.
 */
import type { GroupRecord, Phase } from "./protocol";

export interface GroupPost {
  readonly phase: Phase;
  readonly step: number;
  readonly groups: readonly GroupRecord[];
}

const INTERVAL_MS = 100;

export class GroupFeed {
  #last = Number.NEGATIVE_INFINITY;
  #held: GroupPost | null = null;

  constructor(
    private readonly send: (post: GroupPost) => void,
    private readonly now: () => number,
  ) {}

  /** @param every always send: when stepping by hand or in slow motion */
  offer(post: GroupPost, every: boolean): void {
    if (!every && this.now() - this.#last < INTERVAL_MS) {
      this.#held = post;
      return;
    }
    this.#held = null;
    this.#last = this.now();
    this.send(post);
  }

  flush(): void {
    const held = this.#held;
    if (held !== null) this.offer(held, true);
  }

  /** Drop what was held back, e.g. after the run was restored to an earlier step. */
  clear(): void {
    this.#held = null;
  }
}

/** The phase before `next` within a step: a rollout that is not the first refills what scoring left out. */
export function phaseBefore(next: Phase): Phase {
  switch (next) {
    case "rollout":
      return "score";
    case "score":
      return "rollout";
    case "normalise":
      return "score";
    case "update":
      return "normalise";
    default:
      return next satisfies never;
  }
}
