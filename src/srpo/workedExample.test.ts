import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { groupAdvantages } from "./advantage";
import { explainAdvantage, explainTotal } from "./explain";
import { formatNumber, formatSum } from "./notation";
import { defaultRewardConfig } from "./reward";
import { scoreResponse } from "./score";

const page = readFileSync(new URL("../../docs/method.md", import.meta.url), "utf8");
/** Cells of the rows of the worked example that open with a response. */
const rows = Array.from(page.matchAll(/^\| `(<think>.*?)` *\| (.*) \|$/gm), ([, text = "", cells = ""]) => ({
  text,
  cells: cells.split("|").map((cell) => cell.trim()),
}));

describe("the worked example of docs/method.md", () => {
  const scores = rows.map(({ text }) => scoreResponse(text, "8", defaultRewardConfig));
  const totals = scores.map((s) => s.terms.total);
  const { advantages, mean, std } = groupAdvantages(totals, "srpo");

  it("has four responses", () => expect(rows).toHaveLength(4));

  it("holds: transition, lengths, terms, total and advantage of every row", () => {
    rows.forEach(({ cells }, i) => {
      const score = scores[i];
      if (!score) throw new Error(`row ${i} was not scored`);
      const { format, accuracy, effectiveness, reflectionFormat, lengthWeighted, total } = score.terms;
      expect(cells).toEqual([
        score.transition ?? "–",
        `${score.facts.lengthTokens}, ${score.facts.baseTokens}`,
        formatSum([format, accuracy, effectiveness, reflectionFormat, lengthWeighted]),
        formatNumber(total),
        formatNumber(advantages[i] ?? NaN),
      ]);
    });
    expect([mean, std].map(formatNumber)).toEqual(["1.072", "0.434"]);
  });

  it("is what the page explains", () => {
    expect(scores.map((s) => explainTotal(s.terms, defaultRewardConfig).substituted)[0]).toBe(
      "R = 0.5 + 0.5 + 0.25 + 0.25 + 0.019 = 1.519",
    );
    expect(explainAdvantage(totals, 0, "srpo").substituted).toBe("A = (1.519 − 1.072) / (0.434 + 1·10⁻⁴) = 1.03");
  });

  it("turns over under the official variant: the fixed answer is paid most", () => {
    const official = rows.map(
      ({ text }) => scoreResponse(text, "8", { ...defaultRewardConfig, variant: "official" }).terms.total,
    );
    expect(official.map(formatNumber)).toEqual(["1.269", "1.508", "0.758", "0.5"]);
  });
});
