import { describe, expect, test } from "vitest";
import { crc32, zip } from "./zip";

describe("the zip of a policy folder", () => {
  test("computes CRC-32's check value", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  test("stores every file whole, under its name, at the place its directory says", async () => {
    const files = [
      { path: "policy/config.json", bytes: new TextEncoder().encode("{}") },
      { path: "policy/ä.bin", bytes: Uint8Array.from([1, 2, 3, 255]) },
    ];
    const bytes = new Uint8Array(await zip(files).arrayBuffer());
    const view = new DataView(bytes.buffer);
    const end = bytes.length - 22;
    expect(view.getUint32(end, true)).toBe(0x06054b50);
    expect(view.getUint16(end + 10, true)).toBe(2);
    let at = view.getUint32(end + 16, true);
    for (const { path, bytes: content } of files) {
      const nameLength = view.getUint16(at + 28, true);
      expect(new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength))).toBe(path);
      const local = view.getUint32(at + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true);
      expect(bytes.subarray(start, start + content.length)).toEqual(content);
      expect(view.getUint32(at + 16, true)).toBe(crc32(content));
      at += 46 + nameLength;
    }
  });
});
