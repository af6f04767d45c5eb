/** Recipes on the page: one is chosen, changed, linked to and trained with, and each step says what it did. */
import { describe, expect, test } from "vitest";
import { type Playground, SMALL, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });

const report = (playground: Playground) => playground.page.getByRole("region", { name: /^What step \d+ did/ });

describe("recipes", () => {
  test("a chosen recipe sets the knobs, is changed by name, has a way back, and goes into the link", async () => {
    const playground = await visit({ from: "sft" });
    const { page } = playground;
    await playground.ready();
    const recipe = page.getByRole("combobox", { name: "Recipe", exact: true });
    await recipe.selectOption("grpo");
    expect(await page.getByRole("slider", { name: /^Reflection helped/ }).inputValue()).toBe("0");
    const changes = page.getByRole("group", { name: "What is changed about GRPO" });
    expect(await changes.count(), "nothing is changed about a recipe just chosen").toBe(0);

    await page.getByText("More …").click();
    const beta = page.getByRole("textbox", { name: "KL weight β" });
    await beta.fill("0");
    await beta.press("Enter");
    expect(await changes.innerText()).toContain("KL weight β 0");
    expect(await recipe.locator("option:checked").innerText()).toBe("GRPO, changed");
    await playground.button("Copy a link to these settings").click();
    const query = new URLSearchParams(new URL(page.url()).hash.slice(1));
    expect(query.get("recipe")).toBe("grpo");
    expect(JSON.parse(query.get("s") ?? "{}")).toMatchObject({ grpo: { beta: 0 } });

    await playground.button("KL weight β: back to 0.04").click();
    expect(await beta.inputValue()).toBe("0.04");

    await playground.button("Compare").click();
    const dialog = page.getByRole("dialog", { name: "Recipes" });
    await dialog.getByRole("button", { name: "SRPO", exact: true }).click();
    await dialog.getByRole("button", { name: "Use SRPO" }).click();
    expect(await recipe.inputValue()).toBe("srpo");
    expect(await page.getByRole("slider", { name: /^Reflection helped/ }).inputValue()).toBe("1");
  });

  test("a step says what it did: one update without a histogram, several with one", async () => {
    const playground = await visit({ from: "sft", settings: { ...SMALL, maxNewTokens: 104 } });
    const { page } = playground;
    await playground.ready();
    await playground.takeStep();
    const said = await report(playground).innerText();
    expect(said).toMatch(/1 update on this rollout|no update/);
    expect(said).toContain("No KL: β is 0.");
    const ratios = page.getByRole("img", { name: /^Ratios of the step's tokens/ });
    expect(await ratios.count()).toBe(0);

    await page.getByText("More …").click();
    const passes = page.getByRole("textbox", { name: "Passes per rollout" });
    await passes.fill("3");
    await passes.press("Enter");
    await playground.takeStep();
    await playground.until("the report of step 2", async () =>
      (await report(playground).innerText()).includes("What step 2 did"),
    );
    expect(await report(playground).innerText()).toMatch(/3 updates on this rollout \(3 passes\)/);
    expect(await ratios.getAttribute("aria-label")).toContain("Bounds at 0.80 and 1.20.");
    // What a surrogate cannot use is not offered.
    await page.getByRole("combobox", { name: "Surrogate" }).selectOption("cispo");
    expect(await page.getByRole("textbox", { name: "Clip above" }).count()).toBe(0);
    expect(await page.getByRole("textbox", { name: "Ratio cap" }).inputValue()).toBe("5");
  });

  test("a step of truncated responses says so loudly", async () => {
    const playground = await visit({ from: "sft", settings: { ...SMALL, maxNewTokens: 16 } });
    await playground.ready();
    await playground.takeStep();
    expect(await playground.told(/Every response was truncated/)).toContain("Max response tokens");
    expect(await report(playground).innerText()).toContain("raise the length limit (maxNewTokens)");
  });
});
