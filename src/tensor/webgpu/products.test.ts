/** Each variant of the matrix product against the reference: ragged shapes, all forms, all weight formats; forced, and refused by name. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { relativeError } from "../conformance";
import type { Home } from "../home";
import { packWeight, type WeightFormat } from "../packedWeight";
import { randomUniform } from "../random";
import { openReferenceHome } from "../reference/home";
import type { WebGpuHome, WebGpuHomeOptions } from "./home";
import { offeredVariants } from "./kernels/products/choice";
import { PRODUCT_VARIANTS } from "./kernels/products/variant";
import { openNodeWebGpuHome } from "./node";

const numbers = (count: number, stream: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 2 * randomUniform(7, stream, 0, i) - 1);

type Form = "x·Wᵀ" | "x·Wᵀ + bias + residual" | "dy·W" | "dy·W + add" | "+= dyᵀ·x";

/** [form, rows, in, out, weights]: not multiples of any tile, one row, few rows, odd lengths of k and of rows, wider than a tile. */
const CASES: readonly (readonly [form: Form, rows: number, columns: number, out: number, format: WeightFormat])[] = [
  ["x·Wᵀ", 1, 7, 5, "f32"],
  ["x·Wᵀ + bias + residual", 3, 65, 141, "f32"],
  ["x·Wᵀ + bias + residual", 71, 133, 67, "f32"],
  ["x·Wᵀ", 90, 100, 68, "f32"],
  ["x·Wᵀ", 11, 136, 132, "f16"],
  ["x·Wᵀ + bias + residual", 33, 66, 36, "f16"],
  ["x·Wᵀ + bias + residual", 1, 160, 70, "int4"],
  ["x·Wᵀ", 33, 96, 68, "int4"],
  ["dy·W", 71, 133, 67, "f32"],
  ["dy·W + add", 90, 100, 68, "f32"],
  ["dy·W", 5, 66, 37, "f16"],
  ["dy·W + add", 33, 96, 68, "int4"],
  ["+= dyᵀ·x", 71, 133, 67, "f32"],
  ["+= dyᵀ·x", 90, 100, 68, "f32"],
];
type Case = (typeof CASES)[number];

async function product(home: Home, [form, rows, columns, out, format]: Case): Promise<ArrayLike<number>> {
  const upload = (stream: number, ...shape: number[]): Tensor =>
    home.upload(
      numbers(
        shape.reduce((a, b) => a * b),
        stream,
      ),
      shape,
    );
  const weight = packWeight(home, numbers(out * columns, 1), out, columns, format);
  const made = ((): Tensor => {
    switch (form) {
      case "x·Wᵀ":
        return home.kernels.linear(upload(2, rows, columns), weight, null, null);
      case "x·Wᵀ + bias + residual":
        return home.kernels.linear(upload(2, rows, columns), weight, upload(5, out), upload(6, rows, out));
      case "dy·W":
        return home.kernels.linearGradInput(upload(3, rows, out), weight, null);
      case "dy·W + add":
        return home.kernels.linearGradInput(upload(3, rows, out), weight, upload(7, rows, columns));
      case "+= dyᵀ·x": {
        const into = upload(4, out, columns);
        home.kernels.linearGradWeight(upload(2, rows, columns), upload(3, rows, out), into, null);
        return into;
      }
      default:
        return form satisfies never;
    }
  })();
  const [values] = await home.read([made]);
  return values ?? [];
}

const reference = await openReferenceHome();
const probe = await openNodeWebGpuHome();
const { offered, missing } = offeredVariants(probe.dispatcher.traits.products.adapter);
await probe.dispose();
const expected = new Map<Case, ArrayLike<number>>();
for (const c of CASES) expected.set(c, await product(reference, c));

/** Operands in 32 bits differ by the order of their sum; rounded to the 11 bits of halves, by 2⁻¹¹ of each. */
const EXACT = 3e-6;
const HALVES = 1e-3;

function agrees(
  options: WebGpuHomeOptions,
  tolerance: (format: WeightFormat) => number,
  cases: readonly Case[] = CASES,
): void {
  let home: WebGpuHome;
  beforeAll(async () => {
    home = await openNodeWebGpuHome(options);
  });
  afterAll(() => home.dispose());
  it.each(cases.map((c) => [...c, c] as const))(
    "%s, %i rows, %i → %i, %s",
    { timeout: 120_000 },
    async (_form, _rows, _columns, _out, format, c) => {
      expect(relativeError(await product(home, c), expected.get(c) ?? [])).toBeLessThan(tolerance(format));
    },
  );
}

describe.each(offered)("products by %s", (products) => {
  agrees({ products }, (format) => (products === "f16" && format !== "f16" ? HALVES : EXACT));
});

if (offered.includes("subgroups")) {
  // CPU adapters hold half the rows in registers.
  describe("products by subgroups, as GPUs get them", () => {
    agrees(
      { products: "subgroups", kernelsFor: "gpu" },
      () => EXACT,
      CASES.filter(
        ([form, rows]) => (form === "x·Wᵀ" && rows === 11) || (form !== "x·Wᵀ + bias + residual" && rows === 71),
      ),
    );
  });
}

describe("forcing a variant", () => {
  it("refuses what the adapter cannot run, naming what it lacks, and leaves the open home alone", async () => {
    const home = await openNodeWebGpuHome();
    expect(missing.map(({ variant }) => variant)).toEqual(PRODUCT_VARIANTS.filter((name) => !offered.includes(name)));
    for (const { variant, lacks } of missing) {
      expect(lacks).not.toBe("");
      await expect(openNodeWebGpuHome({ products: variant })).rejects.toThrow(
        `Products "${variant}" cannot run here: this adapter has no ${lacks}`,
      );
    }
    const [values] = await home.read([home.zeros([2])]);
    expect(values).toEqual(new Float32Array(2));
    await home.dispose();
  });

  it("is what the home says it does; without it, CPU adapters with subgroups get broadcast tiles and GPUs shared tiles", async () => {
    const described = async (options: WebGpuHomeOptions): Promise<string | undefined> => {
      const home = await openNodeWebGpuHome(options);
      await home.dispose();
      return home.description.products;
    };
    expect(await described({ products: "sharedTiles" })).toBe("sharedTiles");
    expect(await described({ kernelsFor: "software" })).toBe("broadcastTiles");
    expect(await described({ kernelsFor: "gpu" })).toBe("sharedTiles");
  });
});
