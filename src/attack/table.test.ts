/** docs/reliability.md shows the recorded results of the attacks, as `npm run attack -- report` prints them. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attackTable, RECORD, type Recorded, recordedWith, recordSchema } from "./table";

const result = (attack: string, name: Recorded["name"], survived: number): Recorded => ({
  attack,
  name,
  tries: 3,
  survived,
  detail: [],
  command: `npm run attack -- ${name}`,
});

test("the page's table is that of the record", () => {
  const record = recordSchema.parse(JSON.parse(readFileSync(RECORD, "utf8")));
  expect(readFileSync("docs/reliability.md", "utf8")).toContain(attackTable(record).trim());
});

test("new results replace those of the same kind, in the attacks' order", () => {
  const record = [result("a flood", "serve", 1), result("a kill", "kill", 1)];
  const next = recordedWith(record, [result("a flood", "serve", 3)]);
  expect(next.map(({ attack, survived }) => [attack, survived])).toEqual([
    ["a kill", 1],
    ["a flood", 3],
  ]);
  expect(attackTable(next).split("\n").slice(2, 4)).toEqual([
    "| a kill | 3 | 1 | `npm run attack -- kill` |",
    "| a flood | 3 | 3 | `npm run attack -- serve` |",
  ]);
});
