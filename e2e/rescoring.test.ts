/**
 * Moving a reward weight re-scores the group on show at once, without the engine: here the engine never comes up,
 * because its weights never arrive. The expected numbers are worked out apart, from the shipped file.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });

interface PreparedFile {
  readonly samples: readonly {
    readonly text: string;
    readonly score: {
      readonly terms: Readonly<
        Record<"format" | "accuracy" | "effectiveness" | "reflectionFormat" | "lengthWeighted" | "total", number>
      >;
    };
    readonly advantage: number;
  }[];
}

/** As labels write it: two decimals, a true minus sign. */
const written = (value: number): string => (Math.abs(value) < 0.005 ? "0.00" : value.toFixed(2).replace("-", "−"));

/** (r − mean)/(std + 1e-4) with n − 1 under the root. */
function advantages(totals: readonly number[]): number[] {
  const mean = totals.reduce((sum, each) => sum + each, 0) / totals.length;
  const std = Math.sqrt(totals.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (totals.length - 1));
  return totals.map((each) => (std === 0 ? 0 : (each - mean) / (std + 1e-4)));
}

describe("moving a reward weight", () => {
  test("re-scores the shown group immediately and keeps the old numbers as ghosts", async () => {
    const { samples } = JSON.parse(readFileSync("public/prepared.json", "utf8")) as PreparedFile;
    const playground = await visit({
      settings: null,
      before: (page) =>
        page.context().route("**/policies/**/model.safetensors", () => {
          /* never answered */
        }),
    });
    const { page, table } = playground;
    await playground.until("the prepared group", async () => (await table.count()) === 1);
    const labels = async (of: typeof playground.rewards): Promise<string[]> =>
      Promise.all((await of.all()).map(async (each) => (await each.getAttribute("aria-label")) ?? ""));
    const totals = async (): Promise<string[]> =>
      (await labels(playground.rewards)).map((label) => /total reward ([−\d.]+)/.exec(label)?.[1] ?? label);
    const pushes = async (): Promise<string[]> =>
      (await labels(playground.advantages)).map((label) => /advantage ([−\d.]+)/.exec(label)?.[1] ?? label);

    expect(await totals(), "totals as shipped").toEqual(samples.map(({ score }) => written(score.terms.total)));
    expect(await pushes(), "advantages as shipped").toEqual(samples.map(({ advantage }) => written(advantage)));

    const kept = page.getByRole("slider", { name: "kept", exact: true });
    await page.getByRole("slider", { name: /^First answer right/ }).fill("0");
    await page.getByRole("slider", { name: /^Length on target/ }).fill("0");
    await page.getByRole("slider", { name: /^Reflection helped/ }).fill("2");
    expect(await kept.inputValue(), "the tier beside it").toBe("0.25");

    const moved = samples.map(
      ({ score: { terms } }) => terms.format + 2 * terms.effectiveness + terms.reflectionFormat,
    );
    expect(await totals(), "totals under the new weights").toEqual(moved.map(written));
    expect(await pushes(), "advantages under the new weights").toEqual(advantages(moved).map(written));
    const rows = await table.getByRole("row").filter({ has: playground.rewards }).all();
    for (const [row, sample] of samples.entries()) {
      const text = (await rows[row]?.innerText()) ?? "";
      if (Math.abs((moved[row] ?? 0) - sample.score.terms.total) > 0.005)
        expect(text, `the old total of response ${row + 1} beside the new one`).toContain(
          written(sample.score.terms.total),
        );
      if (Math.abs((advantages(moved)[row] ?? 0) - sample.advantage) > 0.005)
        expect(text, `the old advantage of response ${row + 1} beside the new one`).toContain(
          written(sample.advantage),
        );
    }
    expect(await page.getByRole("main").innerText()).toContain("Numbers with the new reward weights");
    expect(await playground.button("Play").isDisabled(), "there is still no engine").toBe(true);

    await playground.button("Defaults").click();
    expect(await totals(), "totals back at the defaults").toEqual(
      samples.map(({ score }) => written(score.terms.total)),
    );
    expect(await page.getByRole("main").innerText()).not.toContain("Numbers with the new reward weights");
  });

  test("and so does a reward term that the visitor writes; a fault is named with its column", async () => {
    const { samples } = JSON.parse(readFileSync("public/prepared.json", "utf8")) as PreparedFile;
    const playground = await visit({
      settings: null,
      before: (page) =>
        page.context().route("**/policies/**/model.safetensors", () => {
          /* never answered */
        }),
    });
    const { page, table } = playground;
    await playground.until("the prepared group", async () => (await table.count()) === 1);
    const totals = async (): Promise<string[]> =>
      Promise.all(
        (await playground.rewards.all()).map(
          async (each) => /total reward ([−\d.]+)/.exec((await each.getAttribute("aria-label")) ?? "")?.[1] ?? "",
        ),
      );
    const shipped = samples.map(({ score }) => score.terms.total);

    await playground.button("Add a term").click();
    const expression = page.getByRole("textbox", { name: "Expression of own1" });
    const weight = page.getByRole("slider", { name: /^Weight/ });
    await weight.fill("0.5");
    await expression.fill("lenght / 10");
    await page.getByText('column 1: there is no fact "lenght"; did you mean "length"?').waitFor();

    // Typed, its values are shown; put to use, the table is scored again.
    await expression.fill("words(text) / 10");
    const words = samples.map(({ text }) => text.split(/\s+/).filter(Boolean).length / 10);
    const values = page.getByRole("list", { name: "Value for each response" }).getByRole("listitem");
    expect(await values.allInnerTexts()).toEqual(words.map((value) => String(Number(value.toFixed(3)))));
    await expression.press("Enter");
    expect(await totals()).toEqual(shipped.map((total, row) => written(total + 0.5 * (words[row] ?? 0))));
    expect(page.url(), "nothing is in the address until the link is copied").not.toContain("words");

    await expression.fill("log(first.right - 1)");
    await expression.press("Enter");
    await page
      .getByText(/^Not scored\. Your term “own1” has no value: column 1: /)
      .first()
      .waitFor();

    await playground.button("Remove your term own1").click();
    expect(await totals()).toEqual(shipped.map(written));
  });
});
