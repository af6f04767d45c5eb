/**
 * Lines of a file, found again by position: longer than a chunk, with multi-byte characters, with blank lines between.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Line, linesOf, readLine } from "./lineIndex";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-lines-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each<[string, string]>([
  ["with a last newline", "\n"],
  ["without one", ""],
])("%s", async (_what, end) => {
  const file = join(folder, "lines.txt");
  const long = "ä–".repeat(60_000);
  await writeFile(file, `one\n\n  \r\n${long}\r\nlast${end}`);
  const lines: Line[] = [];
  for await (const line of linesOf(file)) lines.push(line);
  expect(lines.map(({ number, text }) => [number, text])).toEqual([
    [1, "one"],
    [4, `${long}\r`],
    [5, "last"],
  ]);
  for (const line of lines) expect(await readLine(file, line)).toBe(line.text);
});
