import { readFileSync } from "node:fs";
import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { Safetensors } from "../checkpoint/safetensors";
import { readFloat32, readInt32 } from "../checkpoint/safetensorsValues";
import { ImageProcessor, parsePreprocessorConfig, preprocessorConfigJson } from "./imageProcessor";
import { rgbFromGray, rgbFromRgba } from "./imageProcessorPixels";
import { ImageSizeError, roundHalfEven, smartResize } from "./smartResize";

const golden = new URL("../golden/pixels/", import.meta.url);

interface About {
  images: { file: string; processor: Record<string, unknown>; rows: [number, number] }[];
  smart_resize: {
    height: number;
    width: number;
    min_pixels: number;
    max_pixels: number;
    out: [number, number] | "error";
  }[];
}
const about = JSON.parse(readFileSync(new URL("about.json", golden), "utf8")) as About;
const reference = Safetensors.open(readFileSync(new URL("reference.safetensors", golden)), "reference.safetensors");

about.images.forEach(({ file, processor, rows }, i) => {
  test(`${file} becomes transformers' pixel values`, () => {
    const png = PNG.sync.read(readFileSync(new URL(file, golden)));
    const processed = new ImageProcessor(parsePreprocessorConfig(processor)).process(
      rgbFromRgba(png.data, png.width, png.height),
    );
    const expected = readFloat32(reference, `pixel_values.${i}`);
    expect([...processed.grid]).toEqual([...readInt32(reference, `image_grid_thw.${i}`)]);
    expect([processed.pixelValues.length / processed.rowLength, processed.rowLength]).toEqual(rows);
    const worst = processed.pixelValues.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at]!)), 0);
    expect(worst).toBeLessThan(1e-5);
  });
});

for (const row of about.smart_resize) {
  test(`smart resize of ${row.height}×${row.width} within [${row.min_pixels}, ${row.max_pixels}] pixels`, () => {
    const resize = () => smartResize(row.height, row.width, 28, row.min_pixels, row.max_pixels);
    if (row.out === "error") expect(resize).toThrow(ImageSizeError);
    else expect(resize()).toEqual({ height: row.out[0], width: row.out[1] });
  });
}

test("halves round to even, as in Python", () => {
  expect([0.5, 1.5, 2.5, 3.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3]);
  expect(smartResize(70, 70, 28, 1, 1e6)).toEqual({ height: 56, width: 56 });
});

const nano = parsePreprocessorConfig({ patch_size: 4, merge_size: 2, min_pixels: 64, max_pixels: 4096 });

test("a nano picture of 32×32 passes without resampling: 64 patches, 16 image tokens", () => {
  const processor = new ImageProcessor(nano);
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7) % 256);
  const { pixelValues, rowLength, grid } = processor.process({ width: 32, height: 32, pixels });
  expect(grid).toEqual([1, 8, 8]);
  expect(rowLength).toBe(3 * 2 * 4 * 4);
  expect(processor.tokenCount(32, 32)).toBe(16);
  // The second row is the patch to the right of the first: its first value is pixel (0, 4), channel R.
  expect(pixelValues[rowLength]).toBeCloseTo((pixels[4 * 3]! / 255 - nano.mean[0]) / nano.std[0], 6);
  // The third row is the patch below the first; the second frame repeats the first.
  expect(pixelValues[2 * rowLength]).toBeCloseTo((pixels[4 * 32 * 3]! / 255 - nano.mean[0]) / nano.std[0], 6);
  expect(pixelValues.slice(16, 32)).toEqual(pixelValues.slice(0, 16));
});

test("grey and transparent pictures become RGB", () => {
  expect([...rgbFromGray(Uint8Array.of(3, 200), 2, 1).pixels]).toEqual([3, 3, 3, 200, 200, 200]);
  expect([...rgbFromRgba(Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 255), 2, 1).pixels]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(() => rgbFromRgba(Uint8Array.of(1, 2, 3), 1, 1)).toThrow("needs 4 bytes, got 3");
});

test("preprocessor_config.json: both spellings of the bounds, and a way back", () => {
  expect(parsePreprocessorConfig({ min_pixels: 7, max_pixels: 9 })).toMatchObject({ minPixels: 7, maxPixels: 9 });
  expect(parsePreprocessorConfig({ size: { shortest_edge: 7, longest_edge: 9 } })).toMatchObject({
    minPixels: 7,
    maxPixels: 9,
  });
  expect(parsePreprocessorConfig({})).toMatchObject({ minPixels: 3136, maxPixels: 1_003_520, patchSize: 14 });
  expect(parsePreprocessorConfig(preprocessorConfigJson(nano))).toEqual(nano);
  expect(() => parsePreprocessorConfig({ patch_size: 0, resample: 2 })).toThrow(
    /preprocessor_config.json: patch_size: .*; resample: only bicubic/,
  );
  expect(() => parsePreprocessorConfig("{")).toThrow("preprocessor_config.json: not valid JSON");
});
