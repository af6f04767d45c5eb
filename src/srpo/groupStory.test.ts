import { describe, expect, it } from "vitest";
import { groupAdvantages } from "./advantage";
import { type GroupNumbers, groupStory, type StoryRow } from "./groupStory";
import type { Transition } from "./types";

/** A row by its transition: reward by the paper's tiers, length as given, moved as given. */
function row(transition: Transition | null, length = 0, moved: number | null = null): StoryRow {
  const firstRight = transition === "kept" || transition === "spoilt";
  const refinedRight = transition === "kept" || transition === "fixed";
  const effectiveness = { kept: 0.25, fixed: 0.5, stillWrong: 0, spoilt: -0.25 }[transition ?? "stillWrong"];
  const parts = { R_accuracy: firstRight ? 0.5 : 0, I_eff: effectiveness, α·f_len: length };
  return {
    firstRight,
    refinedRight,
    transition,
    parts,
    reward: parts.R_accuracy + effectiveness + length,
    advantage: null,
    moved,
  };
}
function group(rows: readonly StoryRow[], counterfactual = false): GroupNumbers {
  const { advantages, std, flat } = groupAdvantages(
    rows.map(({ reward }) => reward),
    "srpo",
  );
  return {
    rows: rows.map((each, at) => ({ ...each, advantage: advantages[at] ?? 0 })),
    normalised: { std, flat },
    counterfactual,
  };
}
const said = (of: GroupNumbers): readonly string[] => groupStory(of).map(({ text }) => text);

describe("the story of a group", () => {
  it("says who was pushed where, and how far they moved: e^−0.51 = 0.6, e^0.69 = 2", () => {
    const half = Math.log(0.6);
    expect(
      said(
        group([
          row("kept", 0, Math.log(2)),
          row("kept", 0, Math.log(2)),
          row("spoilt", 0, half),
          row("spoilt", 0, half),
        ]),
      ),
    ).toEqual([
      "Reflecting cost more than it gave here: 4 of 4 first answers are right, 2 after reflecting.",
      "2 kept pushed up (A ≈ +0.9): now 2 times as likely; 2 spoilt pushed down (A ≈ −0.9): now 40 % less likely.",
    ]);
  });
  it("tells no movement before the update", () => {
    expect(said(group([row("kept"), row("stillWrong")]))).toEqual([
      "1 kept pushed up (A +0.7); 1 still wrong pushed down (A −0.7).",
    ]);
  });
  it("says that a trace was stretched, and which term it is", () => {
    const [text = ""] = said(group([row("kept", 0.09), row("kept", 0.095), row("kept", 0.1), row("kept", 0.1)]));
    expect(text).toBe(
      "A near-flat group: a difference of 0.01 in reward becomes advantages from −1.279 to +0.767. Only α·f_len " +
        "differs.",
    );
  });
  it("does not call a group near-flat that differs in a tier", () => {
    expect(groupStory(group([row("kept", 0.1), row("fixed", 0.05)])).map(({ topic }) => topic)).not.toContain(
      "near-flat",
    );
  });
  it("says which responses moved against their advantage, and why", () => {
    expect(said(group([row("kept", 0, -0.3), row("kept", 0, 0.3), row("stillWrong", 0, 0.4)])).at(-1)).toBe(
      "Response 1 was pushed up and still fell; Response 3 was pushed down and still rose: the other groups of the " +
        "step and AdamW's momentum change the same weights.",
    );
  });
  it("of a flat group says that it teaches nothing, with the reason of what moved", () => {
    const rows = [row("stillWrong", 0, -0.2), row("stillWrong", 0, 0.1)];
    expect(said(group(rows))).toEqual([
      "No answer is right and all rewards are equal: every advantage is 0, so this group teaches nothing. Log p " +
        "changed anyway: the other groups of the step and AdamW's momentum change the same weights.",
    ]);
    expect(said(group(rows, true))[0]).toMatch(/Log p changed because training used the weights of before\.$/);
  });
  it("with other weights tells no movement, which is training's", () => {
    expect(said(group([row("kept", 0, 1), row("stillWrong", 0, -1)], true))).toEqual([
      "1 kept pushed up (A +0.7); 1 still wrong pushed down (A −0.7).",
    ]);
  });
  it("names responses without a second answer, and is silent before scoring", () => {
    expect(said(group([row(null), row("kept")]))[0]).toMatch(/1 without a second answer pushed down/);
    expect(groupStory({ rows: [{ ...row("kept"), reward: null }], normalised: null, counterfactual: false })).toEqual(
      [],
    );
  });
});
