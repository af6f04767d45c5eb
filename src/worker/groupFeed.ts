/**
 * Group records are large (a hundred samples with four arrays each); while playing at full speed the page gets at
 * most ten a second, the newest first in line. What was held back last is sent when playing stops, so that the
 * page never rests on an old group.
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

  /** @param every send in any case: when stepping by hand or in slow motion */
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

  /** Forget what was held back, e.g. because the run was restored to an earlier step. */
  clear(): void {
    this.#held = null;
  }
}

/** The phase whose results stand while `next` is to come. */
export function phaseBefore(next: Phase): Phase {
  switch (next) {
    case "rollout":
      return "update";
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
