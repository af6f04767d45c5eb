/** Records that cannot be used: what is said of each, and that all others are still read. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataProblem } from "./dataProblem";
import { type DataRecords, openDataRecords } from "./dataRecords";
import { encodePng } from "./pictures";
import { RecordFaults } from "./recordFaults";
import { usableOrFault } from "./takeUsable";

let folder: string;
const inFolder = (name: string): string => join(folder, name);
const picture = { width: 4, height: 3, pixels: new Uint8Array(36).fill(9) };
let png: Uint8Array;
const good = { image: "good.png", question: "q", answer: "a" };
const json = JSON.stringify;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-faults-"));
  png = await encodePng(picture);
  await mkdir(inFolder("folder.png"));
  await mkdir(inFolder("set"));
  await writeFile(inFolder("good.png"), png);
  await writeFile(inFolder("empty.png"), "");
  await writeFile(inFolder("page.jpg"), "<!doctype html><title>404</title>");
  await writeFile(inFolder("lfs.png"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  await writeFile(inFolder("cut.png"), png.subarray(0, 40));
  await writeFile(inFolder("bomb.png"), bombPng());
  await symlink("good.png", inFolder("link.png"));
  await symlink("circle.png", inFolder("circle.png"));
  execFileSync("mkfifo", [inFolder("pipe.png")]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A PNG that says it has 60,000 × 60,000 pixels: its header rewritten, checksum included. */
function bombPng(): Uint8Array {
  const bytes = Buffer.from(png);
  bytes.writeUInt32BE(60_000, 16);
  bytes.writeUInt32BE(60_000, 20);
  let crc = 0xffffffff;
  for (const byte of bytes.subarray(12, 29)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  bytes.writeUInt32BE(~crc >>> 0, 29);
  return new Uint8Array(bytes);
}

async function opened(
  name: string,
  content: string | Uint8Array,
): Promise<{ data: DataRecords; faults: RecordFaults }> {
  await writeFile(inFolder(name), content);
  const faults = new RecordFaults("skip");
  return { data: await openDataRecords(inFolder(name), null, faults), faults };
}

describe("a row that is no record is skipped by line and reason, and the rows keep their numbers", () => {
  test.each<[string, string, string]>([
    ["a missing answer", json({ image: "good.png", question: "q" }), "answer: is missing"],
    ["an answer that is null", json({ ...good, answer: null }), "answer: is missing"],
    ["a blank answer", json({ ...good, answer: " " }), "answer: is empty"],
    ["an answer of another type", json({ ...good, answer: ["a"] }), "answer: expected text or a number"],
    ["no question", json({ image: "good.png", answer: "a" }), "question: is missing"],
    ["a list", "[1]", "value: Invalid input: expected object, received array"],
    ["a line cut in the middle", json(good).slice(0, 30), "not JSON ("],
    ["zero bytes", "\0\0\0", "not JSON ("],
    ["a polluting key alone", '{"__proto__": {"answer": "a", "question": "q"}}', "answer: is missing"],
    ["an id of a megabyte", json({ ...good, id: "x".repeat(2 ** 20) }), "id: longer than 1000 characters"],
    ["an unknown kind", json({ ...good, answerKind: "x".repeat(999) }), "answerKind: expected one of letter,"],
  ])("%s", async (_what, line, reason) => {
    const { data, faults } = await opened("rows.jsonl", `${json(good)}\n\n${line}\n${json(good)}\n`);
    expect(data.records.map(({ id }) => id)).toEqual(["0", "2"]);
    expect(data.rows).toBe(3);
    expect(faults.skipped).toHaveLength(1);
    expect(faults.skipped[0]).toMatchObject({ file: inFolder("rows.jsonl"), row: 1, line: 3 });
    expect(faults.skipped[0]?.reason.slice(0, reason.length)).toBe(reason);
    expect(faults.skipped[0]?.reason.length).toBeLessThan(500);
    expect(await usableOrFault(dataProblem(data, 1, ""))).toMatchObject({ id: "2", picture });
  });

  test("bytes that are not UTF-8", async () => {
    const latin = Buffer.from(json({ ...good, answer: "é" }), "latin1");
    const { data, faults } = await opened("rows.jsonl", Buffer.concat([latin, Buffer.from(`\n${json(good)}`)]));
    expect(data.records.map(({ id }) => id)).toEqual(["1"]);
    expect(faults.skipped[0]?.reason).toBe("not UTF-8");
  });

  test("the second of two records with an id", async () => {
    const { data, faults } = await opened(
      "rows.jsonl",
      [1, 2, 3].map((id) => json({ ...good, id: id % 2 })).join("\n"),
    );
    expect(data.records.map(({ id }) => id)).toEqual(["1", "0"]);
    expect(faults.skipped).toEqual([
      { file: inFolder("rows.jsonl"), row: 2, line: 3, id: "1", reason: 'line 1 has the same id "1"' },
    ]);
  });

  test("when none is a record, the file is refused with the first reason", async () => {
    await expect(opened("rows.jsonl", "{}\n{}")).rejects.toThrow(
      /none of its 2 rows is a record; .*line 1: answer: is/,
    );
    await expect(opened("rows.jsonl", "\n \r\n")).rejects.toThrow(/contains no records/);
  });
});

describe("text files as editors leave them", () => {
  const text = `${json({ ...good, id: "é" })}\n${json({ ...good, id: "b" })}`;
  test.each<[string, string | Uint8Array]>([
    ["a byte order mark", `\ufeff${text}`],
    ["CRLF and blank lines", `${text.replaceAll("\n", "\r\n")}\r\n\r\n\r\n`],
    ["a JSON list", `[${text.replaceAll("\n", ",\n")}]`],
    ["a JSON list behind a mark", `\ufeff [${text.replaceAll("\n", ",")}]\n`],
  ])("%s", async (_what, content) => {
    const { data, faults } = await opened("text.json", content);
    expect(data.records.map(({ id }) => id)).toEqual(["é", "b"]);
    expect(faults.skipped).toEqual([]);
    expect(await dataProblem(data, 1, "")).toMatchObject({ id: "b", picture });
  });

  test("UTF-16 is named, with a mark and without", async () => {
    for (const mark of ["\ufeff", ""])
      await expect(opened("wide.jsonl", Buffer.from(mark + text, "utf16le"))).rejects.toThrow(
        /wide.jsonl: is UTF-16, expected UTF-8; save it again/,
      );
  });

  test("a list that is not whole is refused: it has no records to pass over", async () => {
    await expect(opened("text.json", `[${json(good)},`)).rejects.toThrow(/text.json: not JSON .*one record a line/);
  });
});

describe("a picture that cannot be used is named by its record", () => {
  const long = "x".repeat(5_000_000);
  test.each<[string, object, RegExp]>([
    ["a file that is not there", { image: "none.png" }, /image: .*none.png does not exist$/],
    ["a folder", { image: "folder.png" }, /folder.png is a folder, expected a file$/],
    ["an empty file", { image: "empty.png" }, /empty.png is empty \(0 bytes\)$/],
    ["a web page", { image: "page.jpg" }, /page.jpg is a web page \(HTML\), not a picture/],
    ["a Git LFS pointer", { image: "lfs.png" }, /lfs.png is a Git LFS pointer/],
    ["a picture cut short", { image: "cut.png" }, /cannot decode its image/],
    ["a decompression bomb", { image: "bomb.png" }, /cannot decode its image \(.*pixel limit/],
    ["a circle of links", { image: "circle.png" }, /circle.png is a circle of symbolic links/],
    ["a pipe", { image: "pipe.png" }, /pipe.png is not a regular file/],
    ["a device", { image: "/dev/zero" }, /zero is not a regular file/],
    ["a path through a file", { image: "good.png/x.png" }, /does not exist: a part of its path is a file/],
    ["a zero in a path", { image: "good\0.png" }, /holds a zero character/],
    ["a path of megabytes", { image: `${long}.png` }, /is too long for a path$/],
    ["a web address", { image: "https://host.test/a.png" }, /is a web address, and nothing is downloaded/],
    ["a data URL of another form", { image: "data:image/png,plain" }, /invalid data URL "data:image.png,plain…"/],
    ["base64 that is no picture", { image: `data:image/png;base64,${btoa(long)}` }, /cannot decode its image/],
    ["neither bytes nor path", { image: { bytes: null, path: null } }, /image: has neither bytes nor path/],
    ["no image", { image: null }, /no image; expected the field image or images/],
    ["an empty list", { image: null, images: [] }, /no image; expected the field image or images/],
    ["null in a list", { image: null, images: ["good.png", null] }, /^images.1: is missing|images: expected a list/],
    ["both fields", { images: ["good.png", "good.png"] }, /both image and images are given/],
    ["the second of two", { image: null, images: ["good.png", "cut.png"] }, /cannot decode image 2 of 2/],
    ["more marks than pictures", { question: "<image> <image> ?" }, /has 2 <image> marks and the record 1 picture:/],
    [
      "fewer marks",
      { image: null, images: ["good.png", "good.png"], question: "<image>" },
      /1 <image> mark and .*2 pic/,
    ],
  ])("%s", async (_what, fields, reason) => {
    const { data } = await opened("pictures.jsonl", `${json(good)}\n${json({ ...good, id: "bad", ...fields })}`);
    const fault = await usableOrFault(dataProblem(data, 1, ""));
    expect(fault).toMatchObject({ record: { row: 1, line: 2, id: "bad", reason: expect.stringMatching(reason) } });
    expect(fault).toBeInstanceOf(Error);
    expect(JSON.stringify(fault).length + String(fault).length).toBeLessThan(2000);
  });

  test.each<[string, () => object]>([
    ["a path outside the set's folder", () => ({ image: "../good.png" })],
    ["a link", () => ({ image: "../link.png" })],
    ["an absolute path", () => ({ image: inFolder("good.png") })],
    ["a file URL", () => ({ image: `file://${inFolder("good.png")}` })],
    ["plain base64", () => ({ image: Buffer.from(png).toString("base64") })],
    ["base64 in lines", () => ({ image: Buffer.from(png).toString("base64").replace(/.{60}/g, "$&\n") })],
    ["a data URL in capitals", () => ({ image: `DATA:image/PNG;base64,${Buffer.from(png).toString("base64")}` })],
    ["a data URL as bytes", () => ({ image: { bytes: `data:;base64,${Buffer.from(png).toString("base64")}` } })],
    ["one image as images", () => ({ image: null, images: "../good.png" })],
    ["the same in both fields", () => ({ image: "../good.png", images: ["../good.png"] })],
    ["an empty list beside an image", () => ({ image: "../good.png", images: [] })],
  ])("%s is read", async (_what, fields) => {
    const { data } = await opened("set/pictures.jsonl", json({ ...good, ...fields() }));
    expect(await dataProblem(data, 0, "")).toMatchObject({ picture });
  });
});

test("a table's nulls are skipped row by row", async () => {
  const table = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 3 },
      { name: "question", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "answer", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    ],
    columnData: [
      { name: "question", data: ["q0", "q1", "q2", "q3"] },
      { name: "answer", data: ["a0", null, "a2", "a3"] },
      {
        name: "image",
        data: [{ bytes: png, path: null }, { bytes: png, path: null }, null, { bytes: null, path: null }],
      },
    ],
  });
  const { data, faults } = await opened("nulls.parquet", new Uint8Array(table));
  expect(data.records.map(({ id }) => id)).toEqual(["0", "2", "3"]);
  expect(faults.skipped).toEqual([{ file: inFolder("nulls.parquet"), row: 1, reason: "answer: is missing" }]);
  expect(await dataProblem(data, 0, "")).toMatchObject({ picture });
  for (const at of [1, 2])
    expect(await usableOrFault(dataProblem(data, at, ""))).toMatchObject({
      record: { row: at + 1, reason: expect.stringMatching(/no image|neither bytes nor path/) },
    });
});

test("a run told to stop ends at the first, with what to do", async () => {
  await writeFile(inFolder("stop.jsonl"), `${json(good)}\n${json({ ...good, id: "r", answer: null })}`);
  await expect(openDataRecords(inFolder("stop.jsonl"), null, new RecordFaults("stop"))).rejects.toThrow(
    /stop.jsonl, line 2, record "r": answer: is missing. Mend or remove the record, .*--on-error skip/,
  );
});

test("each record is counted once, also by the process that resumes a run", () => {
  const told: number[] = [];
  const faults = new RecordFaults("skip", ({ row }) => told.push(row));
  faults.remember([{ file: "d.jsonl", row: 4, reason: "before" }]);
  for (const row of [4, 7, 7]) faults.found({ file: "d.jsonl", row, reason: "now" });
  expect(told).toEqual([7]);
  expect(faults.skipped.map(({ row, reason }) => [row, reason])).toEqual([
    [4, "before"],
    [7, "now"],
  ]);
});
