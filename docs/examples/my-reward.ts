/** Two reward terms of one's own, as functions over the facts of a response. */
import type { RewardTerm } from "../../src/runner/run/rewardFile";

/** Words that the reflection shares with neither solution: does it say anything new? */
const fresh: RewardTerm = {
  name: "fresh",
  weight: 0.1,
  term({ first, reflection, refined }) {
    const known = new Set(`${first.think} ${refined.think}`.toLowerCase().split(/\s+/));
    const words = reflection.text.toLowerCase().split(/\s+/).filter(Boolean);
    return words.length === 0 ? 0 : words.filter((word) => !known.has(word)).length / words.length;
  },
};

/** A right answer that was fixed in few tokens. */
const quick: RewardTerm = {
  name: "quick",
  weight: 0.2,
  term: ({ transition, reflection }) => (transition === "fixed" ? Math.exp(-reflection.tokens / 40) : 0),
};

export default [fresh, quick];
