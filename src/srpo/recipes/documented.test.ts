/** The table of recipes in docs/method.md is made of the records. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { surrogateOf } from "../objective";
import type { GroupFilter } from "../onlineFilter";
import { type GrpoRecipe, nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName } from "../recipe";

const page = readFileSync("docs/method.md", "utf8");

const HEAD = [
  "| recipe | A / C | G | advantage | ratio | KL | mean over | groups kept | updates | besides |",
  "|---|---|---|---|---|---|---|---|---|---|",
];

/** The value, and that of the nano policy in brackets where it differs. */
function cell(name: RecipeName, shown: (grpo: GrpoRecipe) => string): string {
  const { settings } = RECIPES[name];
  const [full, nano] = [shown(settings.grpo), shown(nanoSettings(RECIPES[name]).grpo)];
  return full === nano ? full : `${full} (${nano})`;
}

function ratio(grpo: GrpoRecipe): string {
  const surrogate = surrogateOf(grpo);
  const level = grpo.ratioLevel === "sequence" ? "sequence, " : "";
  switch (surrogate.kind) {
    case "clip": {
      const { clipLow, clipHigh, ratioMax, dualClip } = surrogate;
      const clamp = ratioMax === null ? "" : `, ρ ≤ ${ratioMax}`;
      return `${level}${clipLow} / ${clipHigh}${clamp}${dualClip === null ? "" : `, dual ${dualClip}`}`;
    }
    case "cispo": {
      const { ratioLow, ratioHigh } = surrogate;
      return ratioLow === ratioHigh ? `held at ${ratioLow}` : `weight ${ratioLow} to ${ratioHigh}`;
    }
    case "sapo":
      return `gate ${surrogate.tauPositive} / ${surrogate.tauNegative}`;
    default:
      return surrogate satisfies never;
  }
}

const kl = ({ beta, klEstimator, klPlacement }: GrpoRecipe): string =>
  beta === 0 ? "–" : `${beta} ${klEstimator}${klPlacement === "reward" ? " in the reward" : ""}`;

const filter = (kept: GroupFilter): string => (kept === null ? "all" : kept === "mixed" ? kept : kept.join("–"));

function besides(name: RecipeName): string {
  const { grpo, reward } = RECIPES[name].settings;
  const parts = [
    reward.effectivenessWeight !== 0 && reward.lengthWeight !== 0 && "I_eff, I_ref, f_len",
    reward.overlongWeight !== 0 && "overlong penalty",
    grpo.refills > 0 && `refills ${cell(name, ({ refills }) => `${refills}`)}`,
    grpo.replay !== null && "replay",
    grpo.rethinking !== null && "forced rethinking",
    grpo.failures !== null && "failure buffer",
    grpo.stages.length > 0 && `${grpo.stages.length} stages`,
    RECIPES[name].coldStart && "SFT first",
  ];
  return parts.filter((part) => part !== false).join(", ") || "–";
}

function row(name: RecipeName): string {
  const { reward, grpo } = RECIPES[name].settings;
  const gated = reward.variant === "gated" ? "gated " : "";
  const groupSize = (own: GrpoRecipe): string =>
    own.stages.length > 0 ? own.stages.map((stage) => stage.groupSize).join(" → ") : `${own.groupSize}`;
  const cells = [
    `\`${name}\``,
    `${gated}${reward.formatWeight} / ${reward.accuracyWeight}`,
    cell(name, groupSize),
    grpo.advantage,
    cell(name, ratio),
    kl(grpo),
    grpo.aggregation,
    cell(name, ({ onlineFilter }) => filter(onlineFilter)),
    cell(name, ({ updatesPerRollout }) => `${updatesPerRollout}`),
    besides(name),
  ];
  return `| ${cells.join(" | ")} |`;
}

test("every recipe has its row", () => {
  expect(page).toContain([...HEAD, ...RECIPE_NAMES.map(row)].join("\n"));
});
