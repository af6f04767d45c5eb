/** processor_config.json as transformers 5 writes it, against the patches and sizes that transformers 5.18 makes. */
import { readFileSync } from "node:fs";
import { PNG } from "pngjs";
import { describe, expect, it, test } from "vitest";
import { InMemoryFiles } from "../checkpoint/checkpointFiles";
import { parseConfig } from "../checkpoint/config";
import { shapeConfig } from "../checkpoint/shapes";
import { ImageProcessor } from "./imageProcessor";
import { rgbFromRgba } from "./imageProcessorPixels";
import { openProcessorConfig } from "./processorConfig";

interface Golden {
  cases: {
    name: string;
    processor_config: Record<string, unknown>;
    images: { file: string; grid: [number, number, number]; row_sums: number[] }[];
    sizes: { height: number; width: number; out: [number, number] }[];
  }[];
}

const folder = new URL("../golden/pixels/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("processor_v5.json", folder), "utf8")) as Golden;
const { vision } = parseConfig(shapeConfig("tiny", "float32"));
const files = (named: Record<string, unknown>): InMemoryFiles =>
  new InMemoryFiles(
    new Map(Object.entries(named).map(([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))])),
  );

describe.each(golden.cases)("$name", ({ processor_config, images, sizes }) => {
  it("makes transformers' patches and sizes", async () => {
    const config = await openProcessorConfig(files({ "processor_config.json": processor_config }), vision);
    const processor = new ImageProcessor(config);
    for (const { file, grid, row_sums } of images) {
      const png = PNG.sync.read(readFileSync(new URL(file, folder)));
      const made = processor.process(rgbFromRgba(png.data, png.width, png.height));
      expect(made.grid, file).toEqual(grid);
      row_sums.forEach((expected, row) => {
        const values = made.pixelValues.subarray(row * made.rowLength, (row + 1) * made.rowLength);
        expect(
          values.reduce((sum, value) => sum + value, 0),
          `${file}, row ${row}`,
        ).toBeCloseTo(expected, 2);
      });
    }
    for (const { height, width, out } of sizes)
      expect(processor.targetSize(width, height)).toEqual({ height: out[0], width: out[1] });
  });
});

test("its section goes before preprocessor_config.json, which holds where there is none", async () => {
  const older = { min_pixels: 784, max_pixels: 1568 };
  const open = async (named: Record<string, unknown>): Promise<[number, number]> => {
    const { minPixels, maxPixels } = await openProcessorConfig(files(named), vision);
    return [minPixels, maxPixels];
  };
  const size = { shortest_edge: 3920, longest_edge: 7840 };
  expect(
    await open({ "processor_config.json": { image_processor: { size } }, "preprocessor_config.json": older }),
  ).toEqual([3920, 7840]);
  const legacy = { processor_class: "Qwen2_5_VLProcessor" };
  expect(await open({ "processor_config.json": legacy, "preprocessor_config.json": older })).toEqual([784, 1568]);
  expect(await open({})).toEqual([3136, 1_003_520]);
});

test("a mistake is named with its file and key", async () => {
  const open = (image_processor: Record<string, unknown>) =>
    openProcessorConfig(files({ "processor_config.json": { image_processor } }), vision);
  await expect(open({ resample: 2 })).rejects.toThrow(
    /^processor_config\.json: image_processor\.resample: only bicubic/,
  );
  await expect(open({ patch_size: 16 })).rejects.toThrow(
    "processor_config.json: image_processor.patch_size is 16, but config.json's vision_config says 14.",
  );
});
