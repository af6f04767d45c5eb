/** Records without an answer get their lines once the teacher has shown that it answers. */
import { expect, test } from "vitest";
import type { ReflectionLine } from "./reflections";
import { ReflectionWriter } from "./reflectionWriter";

const cost = { requests: 1, promptTokens: 2, completionTokens: 3 };
const line = (problem: string): ReflectionLine => ({ problem, discarded: "wrong", cost });
const refused = (problem: string) => ({ problem, discarded: "refused", refused: true, cost }) as const;
const record = (id: string) => ({ file: "d.jsonl", row: Number(id), id, reason: `answered 400 about ${id}` });

function writer(answered = false) {
  const written: string[] = [];
  const skipped: number[] = [];
  const write = async ({ problem }: ReflectionLine): Promise<void> => void written.push(problem);
  return { writer: new ReflectionWriter(answered, write, ({ row }) => void skipped.push(row)), written, skipped };
}

test("a refused record is written, and named, when another has been answered about", async () => {
  const { writer: lines, written, skipped } = writer();
  lines.hold(refused("1"), record("1"), false);
  expect(written).toEqual([]);
  await lines.taught(line("2"));
  lines.hold(refused("3"), record("3"), false);
  await lines.taught({ ...line("4"), cost: { ...cost, requests: 0 } });
  expect(written).toEqual(["1", "2", "4"]);
  await lines.end();
  expect(written).toEqual(["1", "2", "4", "3"]);
  expect(skipped).toEqual([1, 3]);
});

test("a teacher that refuses everything ends the command, and nothing is written", async () => {
  const { writer: lines, written } = writer(true);
  const hold = (from: number, to: number): void => {
    for (let id = from; id < to; id++) lines.hold(refused(String(id)), record(String(id)), false);
  };
  hold(0, 15);
  expect(() => hold(15, 16)).toThrow(/answered none of the last 16 requests, so nothing was written .*400 about 15/);
  expect(written).toEqual([]);
  const { writer: small, written: none } = writer();
  small.hold(refused("1"), record("1"), false);
  await expect(small.end()).rejects.toThrow(/answered none of the last 1 requests/);
  expect(none).toEqual([]);
});

test("records that the teacher failed on last are asked about again; refused ones are not", async () => {
  const { writer: lines, written } = writer(true);
  lines.hold(refused("1"), record("1"), false);
  lines.hold(refused("2"), record("2"), true);
  await expect(lines.end()).rejects.toThrow(/1 record is left without an answer; run the command again .*"2"/);
  expect(written).toEqual(["1"]);
  const down = writer(true).writer;
  for (let id = 0; id < 7; id++) down.hold(refused(String(id)), record(String(id)), true);
  expect(() => down.hold(refused("7"), record("7"), true)).toThrow(/answered none of the last 8 requests/);
});
