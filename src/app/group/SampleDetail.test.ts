import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { gradeAnswer } from "../../srpo/grader/grader";
import { defaultSettings, overlay } from "../../worker/protocol";
import { rescore, scoreOf } from "../state/rescoring";
import { group } from "../testing/fixture";
import { SampleDetail } from "./SampleDetail";

const record = group({ seed: 5, skill: 0.3, groupSize: 8, phase: "update", reward: defaultSettings.reward });

test.each(["paper", "official"] as const)("the opened row says why each answer is right or wrong: %s", (variant) => {
  const settings = overlay(defaultSettings, { reward: { variant } });
  const { rows } = rescore(record, settings);
  const grader = variant === "paper" ? "equivalent" : "exact";
  record.samples.forEach((sample, row) => {
    const shown = rows[row];
    if (!shown) throw new Error(`There is no row ${row}.`);
    const markup = renderToStaticMarkup(createElement(SampleDetail, { sample, shown, row, settings }));
    for (const solution of [scoreOf(sample)?.firstSolution, scoreOf(sample)?.refinedSolution])
      if (solution) expect(markup).toContain(gradeAnswer(solution.answer, record.problem.answer, grader).reason);
  });
});
