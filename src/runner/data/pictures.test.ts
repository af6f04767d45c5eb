/** Pictures as Pillow decodes them: golden/pictures.json holds small files of each kind with their RGB bytes. */
import { expect, it } from "vitest";
import golden from "./golden/pictures.json";
import { decodePicture, PictureError } from "./pictures";

const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

/** Largest and mean difference in levels of what stays different: the table in docs/runner.md. */
const DIFFERENT: Readonly<Record<string, readonly [number, number]>> = { "transparent.gif": [231, 9.375] };

it.each(Object.entries(golden.pictures))("%s has Pillow's pixels", async (name, { file, rgb, size }) => {
  const { width, height, pixels } = await decodePicture(bytes(file));
  expect([width, height]).toEqual(size);
  const expected = bytes(rgb);
  expect(pixels.length).toBe(expected.length);
  const differences = Array.from(pixels, (level, i) => Math.abs(level - (expected[i] ?? NaN)));
  const [largest, mean] = DIFFERENT[name] ?? [0, 0];
  expect(Math.max(...differences)).toBe(largest);
  expect(differences.reduce((a, b) => a + b, 0) / differences.length).toBeCloseTo(mean, 2);
});

it("says what of a file cannot be read", async () => {
  const bmp = bytes(golden.pictures["rgb24.bmp"].file);
  const changed = (at: number, value: number): Uint8Array => bmp.map((byte, i) => (i === at ? value : byte));
  const fails = async (file: Uint8Array, message: RegExp): Promise<void> => {
    const reading = decodePicture(file);
    await expect(reading).rejects.toThrow(PictureError);
    await expect(reading).rejects.toThrow(message);
  };
  await fails(bmp.subarray(0, 30), /ends after 30 bytes, within its header/);
  await fails(bmp.subarray(0, 600), /truncated: 600 bytes, expected 630/);
  await fails(changed(28, 16), /BMP with 16 bits a pixel and compression 0 is not read/);
  await fails(changed(21, 0x7f), /says it has \d+×12 pixels; expected 1 to 100000000/);
  await fails(bytes(golden.pictures["rgb16.png"].file).subarray(0, 300), /./);
  await fails(new TextEncoder().encode("not an image"), /unsupported image format/);
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"></svg>';
  await fails(new TextEncoder().encode(drawing), /the file is SVG/);
});
