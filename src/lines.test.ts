/** The width of the code: the formatter keeps code within it, and leaves comments, strings and templates to us. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const WIDTH = 120;
const root = new URL("..", import.meta.url).pathname;
const code = ["src", "e2e"]
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((path) => join(folder, String(path))))
  .filter((path) => /\.(ts|tsx|css)$/.test(path));

test("no line of code, comment or message is longer than 120 characters", () => {
  const long = code.flatMap((path) =>
    readFileSync(join(root, path), "utf8")
      .split("\n")
      .flatMap((line, i) => (line.length > WIDTH ? [`${path}:${i + 1} has ${line.length}`] : [])),
  );
  expect(code.length).toBeGreaterThan(100);
  expect(long).toEqual([]);
});
