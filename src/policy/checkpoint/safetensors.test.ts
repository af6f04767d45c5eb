import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseHeader, Safetensors } from "./safetensors";
import { readFloat32, readInt32, toBfloat16 } from "./safetensorsValues";
import { writeSafetensors } from "./safetensorsWriter";

const encode = (text: string) => new TextEncoder().encode(text);

/** A file from a header (JSON text or value) and data. */
function file(header: unknown, data: Uint8Array | number = 0): Uint8Array {
  const json = encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = typeof data === "number" ? new Uint8Array(data) : data;
  const whole = new Uint8Array(8 + json.length + bytes.length);
  new DataView(whole.buffer).setBigUint64(0, BigInt(json.length), true);
  whole.set(json, 8);
  whole.set(bytes, 8 + json.length);
  return whole;
}
const open = (header: unknown, data: Uint8Array | number = 0) =>
  Safetensors.open(file(header, data), "model.safetensors");
const entry = (dtype: string, shape: unknown[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test("a published-style file opens: names, shapes and values, F32 without a copy", () => {
  const bytes = readFileSync(new URL("../golden/tiny_tied/model.safetensors", import.meta.url));
  const opened = Safetensors.open(bytes, "model.safetensors");
  expect(opened.names()).toHaveLength(68);
  expect(opened.header.metadata).toEqual({ format: "pt" });
  expect(opened.entry("visual.patch_embed.proj.weight").shape).toEqual([32, 3, 2, 4, 4]);
  expect(opened.raw("model.norm.weight").buffer).toBe(bytes.buffer);
  expect(readFloat32(opened, "model.norm.weight")).toHaveLength(64);
});

test("writing is deterministic, aligned, and reads back to the bit", () => {
  const a = { name: "z.weight", shape: [2, 3], values: Float32Array.of(1, -2, 3.5, NaN, Infinity, -0) };
  const b = { name: "10", shape: [], values: Int32Array.of(-7) };
  const c = {
    name: 'a"é',
    shape: [3],
    dtype: "BF16" as const,
    values: toBfloat16(Float32Array.of(1, -1.5, 3.1417)),
  };
  const empty = { name: "empty", shape: [0, 4], values: new Float32Array(0) };
  const bytes = writeSafetensors([a, b, c, empty]);
  expect(writeSafetensors([c, empty, b, a])).toEqual(bytes);
  const opened = Safetensors.open(bytes, "written");
  expect(opened.header.dataStart % 8).toBe(0);
  expect(readFloat32(opened, "z.weight")).toEqual(a.values);
  expect(readInt32(opened, "10")).toEqual(b.values);
  expect([...readFloat32(opened, 'a"é')]).toEqual([1, -1.5, 3.140625]);
  expect(readFloat32(opened, "empty")).toHaveLength(0);
  expect(() => writeSafetensors([a, a])).toThrow("z.weight is given twice");
  expect(() => writeSafetensors([{ ...a, shape: [7] }])).toThrow("z.weight: F32 of shape [7] takes 28 bytes, got 24");
});

test("every number format that checkpoints use", () => {
  const data = new Uint8Array(64);
  const view = new DataView(data.buffer);
  [0x3c00, 0xc000, 0x0001, 0x7c00].forEach((bits, i) => view.setUint16(2 * i, bits, true)); // 1, −2, 2⁻²⁴, ∞
  [0x3f80, 0xc040].forEach((bits, i) => view.setUint16(8 + 2 * i, bits, true)); // 1, −3
  [3n, -4n].forEach((value, i) => view.setBigInt64(12 + 8 * i, value, true));
  view.setFloat64(28, 0.1, true);
  view.setInt8(36, -5);
  view.setBigInt64(37, 2n ** 40n, true);
  const opened = open(
    {
      half: entry("F16", [4], 0, 8),
      bf: entry("BF16", [2], 8, 12),
      long: entry("I64", [2], 12, 28),
      double: entry("F64", [1], 28, 36),
      byte: entry("I8", [1], 36, 37),
      huge: entry("I64", [1], 37, 45),
    },
    data.slice(0, 45),
  );
  expect([...readFloat32(opened, "half")]).toEqual([1, -2, 2 ** -24, Infinity]);
  expect([...readFloat32(opened, "bf")]).toEqual([1, -3]);
  expect([...readInt32(opened, "long")]).toEqual([3, -4]);
  expect(readFloat32(opened, "double")[0]).toBe(Math.fround(0.1));
  expect([...readInt32(opened, "byte")]).toEqual([-5]);
  expect(() => readInt32(opened, "huge")).toThrow(
    "model.safetensors: tensor huge: the value 1099511627776 does not fit 32 bits",
  );
  expect(() => readInt32(opened, "half")).toThrow("tensor half: F16 cannot be read as int32");
  expect(() => opened.raw("nothing")).toThrow("there is no tensor nothing");
});

const whole = writeSafetensors([{ name: "w", shape: [4], values: new Float32Array(4) }]);
const MOST = BigInt(Number.MAX_SAFE_INTEGER);
const huge = file("{}");
new DataView(huge.buffer).setBigUint64(0, MOST, true);

const hostile: [string, () => unknown, RegExp][] = [
  ["an empty file", () => Safetensors.open(new Uint8Array(0), "m"), /m: 0 bytes long, expected at least 8/],
  [
    "a file cut inside the header",
    () => Safetensors.open(whole.subarray(0, 20), "m"),
    /m: truncated inside the header; 20 bytes long, expected at least/,
  ],
  [
    "a file cut inside the data",
    () => Safetensors.open(whole.subarray(0, whole.length - 5), "m"),
    /m: tensor w: data ends at byte \d+, but the file has only \d+. The file is truncated/,
  ],
  ["a header length beyond reason", () => Safetensors.open(huge, "m"), /header claims 9007199254740991 bytes/],
  ["a header that is not JSON", () => open("{nope"), /header is not valid JSON/],
  [
    "a header that is not UTF-8",
    () => parseHeader(Uint8Array.of(0x7b, 0xff, 0x7d), 11, "m"),
    /header is not valid JSON/,
  ],
  ["a header that is a list", () => open([]), /header is not a JSON object/],
  ["an unknown dtype", () => open({ w: entry("F12", [1], 0, 4) }, 4), /tensor w: dtype: /],
  ["a negative size", () => open({ w: entry("F32", [-1], 0, 4) }, 4), /tensor w: shape\.0: /],
  ["a fractional size", () => open({ w: entry("F32", [1.5], 0, 6) }, 6), /tensor w: shape\.0: /],
  [
    "a shape too large to count",
    () => open({ w: entry("F32", [1e9, 1e9, 1e9], 0, 4) }, 4),
    /tensor w: the shape .* is too large/,
  ],
  [
    "offsets in the wrong order",
    () => open({ w: entry("F32", [1], 4, 0) }, 4),
    /tensor w: data_offsets \[4, 0\] end before they begin/,
  ],
  [
    "offsets that do not fit the shape",
    () => open({ w: entry("F32", [2], 0, 4) }, 4),
    /tensor w: F32 of shape \[2\] takes 8 bytes, data_offsets \[0, 4\] hold 4/,
  ],
  [
    "overlapping tensors",
    () => open({ a: entry("F32", [2], 0, 8), b: entry("F32", [2], 4, 12) }, 12),
    /tensor b begins at byte \d+, inside tensor a/,
  ],
  [
    "a hole between tensors",
    () => open({ a: entry("F32", [1], 0, 4), b: entry("F32", [1], 8, 12) }, 12),
    /4 bytes between tensor a and tensor b belong to no tensor/,
  ],
  [
    "bytes after the last tensor",
    () => open({ a: entry("F32", [1], 0, 4) }, 9),
    /5 bytes after tensor a belong to no tensor/,
  ],
  [
    "a name given twice",
    () =>
      open(`{"w":${JSON.stringify(entry("F32", [1], 0, 4))},"\\u0077":${JSON.stringify(entry("F32", [1], 0, 4))}}`, 4),
    /tensor w is named twice/,
  ],
  [
    "a key given twice",
    () => open('{"w":{"dtype":"F32","shape":[1],"dtype":"F32","data_offsets":[0,4]}}', 4),
    /tensor w: dtype is given twice/,
  ],
  ["metadata that is not text", () => open({ __metadata__: { a: 1 } }), /__metadata__ must map strings to strings/],
  ["an entry that is no object", () => open({ w: 5 }), /tensor w: entry: /],
];
for (const [name, act, message] of hostile)
  test(`refuses ${name}, saying where and what was expected`, () => expect(act).toThrow(message));
