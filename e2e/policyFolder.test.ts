/**
 * A checkpoint folder dropped on the page: a good one is trained, a bad one gets a message with what is wrong and
 * where.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Playground, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "srpo-policy-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the shipped base with something changed. */
function policy(name: string, change: (path: string) => void): string {
  const path = join(folder, name);
  cpSync("public/policies/base", path, { recursive: true });
  change(path);
  return path;
}

/** Drops a folder from outside the browser, as a file manager does. */
async function drop({ page }: Playground, path: string): Promise<void> {
  const browser = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const)
    await browser.send("Input.dispatchDragEvent", { type, x: 700, y: 500, data });
  await browser.detach();
}

function withConfig(path: string, change: (config: Record<string, unknown>) => void): void {
  const file = join(path, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  change(config);
  writeFileSync(file, JSON.stringify(config));
}

describe("a dropped policy folder", () => {
  test("that is complete is opened and trained", async () => {
    const playground = await visit();
    await playground.ready();
    await drop(
      playground,
      policy("whole", () => undefined),
    );
    await playground.until(
      "the folder to be selected",
      async () => (await playground.page.getByRole("combobox", { name: "Start from" }).inputValue()) === "own",
    );
    await playground.ready();
    await playground.enter("GRPO");
    await playground.takeStep();
  });

  test("that is invalid gets a message with what is wrong and where; the shipped base can be opened next", async () => {
    const playground = await visit();
    await playground.ready();

    await drop(
      playground,
      policy("without-config", (path) => rmSync(join(path, "config.json"))),
    );
    expect(await playground.told(/config\.json is missing/)).toContain("not a Hugging Face checkpoint folder");
    expect(await playground.button("Play").isEnabled(), "the previous run continues").toBe(true);

    await drop(
      playground,
      policy("truncated", (path) => {
        const weights = readdirSync(path).find((name) => name.endsWith(".safetensors"));
        if (weights === undefined) throw new Error("The shipped base has no safetensors file.");
        truncateSync(join(path, weights), 100_000);
      }),
    );
    expect(await playground.told(/model\.safetensors: tensor \S+/)).toContain("the file has only 100000");
    expect(await playground.badge.count(), "badges of the backend before").toBe(0);
    expect(await playground.notices.innerText(), "follow-up messages").not.toContain("no run is open");

    await drop(
      playground,
      policy("wrong-config", (path) =>
        withConfig(path, (config) => {
          config.text_config = { ...(config.text_config as object), intermediate_size: 64 };
        }),
      ),
    );
    expect(await playground.told(/do not fit config\.json/)).toMatch(
      /mlp\.gate_proj\.weight is \[\d+, \d+\], expected \[64, \d+\]/,
    );

    await drop(
      playground,
      policy("no-json", (path) => writeFileSync(join(path, "config.json"), '{ "hidden_size": ')),
    );
    await playground.told(/config\.json.*JSON/s);

    await playground.page.getByRole("combobox", { name: "Start from" }).selectOption({ label: "base policy" });
    await playground.ready();
    await playground.enter("GRPO");
    await playground.takeStep();
  });
});
