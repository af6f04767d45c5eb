/** docs/reliability.md names, for every fault, the test that holds it: each test file is there and has that title. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const PAGE = "docs/reliability.md";

interface Row {
  readonly section: string;
  readonly line: number;
  readonly cells: readonly string[];
}

/** The rows of tables whose head ends in "held by". */
function faultRows(): readonly Row[] {
  const rows: Row[] = [];
  let [section, inside] = ["", false];
  readFileSync(PAGE, "utf8")
    .split("\n")
    .forEach((text, index) => {
      if (text.startsWith("#")) [section, inside] = [text.replace(/^#+ /, ""), false];
      else if (/^\| fault \|.*\| held by \|$/.test(text)) inside = true;
      else if (!text.startsWith("|")) inside = false;
      else if (inside && !/^\|[-|]+\|$/.test(text)) {
        rows.push({ section, line: index + 1, cells: text.slice(2, -2).split(" | ") });
      }
    });
  return rows;
}

const rows = faultRows();

describe(PAGE, () => {
  test("has faults", () => {
    expect(rows.length).toBeGreaterThan(0);
  });

  test.each(rows.map((row) => [`${PAGE}:${row.line} (${row.section})`, row] as const))("%s", (where, { cells }) => {
    expect(cells.length, `${where}: a row has three cells`).toBe(3);
    const held = [...(cells[2] ?? "").matchAll(/`([^`]+)` › `([^`]+)`/g)];
    expect(held.length, `${where}: names no test as \`file\` › \`title\``).toBeGreaterThan(0);
    for (const [, file = "", title = ""] of held) {
      expect(existsSync(file), `${where}: ${file} is not there`).toBe(true);
      expect(readFileSync(file, "utf8").includes(title), `${where}: ${file} has no test "${title}"`).toBe(true);
    }
  });
});
