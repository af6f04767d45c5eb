/**
 * Each variant of the matrix product against the reference: ragged shapes, all forms, all weight formats; forced, and
 * refused by name.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import { packWeight, type WeightFormat } from "../packedWeight";
import { randomUniform } from "../random";
import { openReferenceBackend } from "../reference/backend";
import { relativeError } from "../testing/conformance/conformance";
import { matmulVariant, testWhere } from "../testing/testWhere";
import type { WebGpuBackend, WebGpuBackendOptions } from "./backend";
import { offeredVariants } from "./kernels/matmul/choice";
import { MATMUL_VARIANTS, type MatmulVariantName } from "./kernels/matmul/variant";
import { openNodeWebGpuBackend } from "./node";

const numbers = (count: number, stream: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 2 * randomUniform(7, stream, 0, i) - 1);

type Form = "x·Wᵀ" | "x·Wᵀ + bias + residual" | "dy·W" | "dy·W + add" | "+= dyᵀ·x";

/**
 * [form, rows, in, out, weights]: not multiples of any tile, one row, few rows, odd lengths of k and of rows, wider
 * than a tile.
 */
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

async function matmul(backend: Backend, [form, rows, columns, out, format]: Case): Promise<ArrayLike<number>> {
  const upload = (stream: number, ...shape: number[]): Tensor =>
    backend.upload(
      numbers(
        shape.reduce((a, b) => a * b),
        stream,
      ),
      shape,
    );
  const weight = packWeight(backend, numbers(out * columns, 1), out, columns, format);
  const made = ((): Tensor => {
    switch (form) {
      case "x·Wᵀ":
        return backend.kernels.linear(upload(2, rows, columns), weight, null, null);
      case "x·Wᵀ + bias + residual":
        return backend.kernels.linear(upload(2, rows, columns), weight, upload(5, out), upload(6, rows, out));
      case "dy·W":
        return backend.kernels.linearGradInput(upload(3, rows, out), weight, null);
      case "dy·W + add":
        return backend.kernels.linearGradInput(upload(3, rows, out), weight, upload(7, rows, columns));
      case "+= dyᵀ·x": {
        const into = upload(4, out, columns);
        backend.kernels.linearGradWeight(upload(2, rows, columns), upload(3, rows, out), into, null);
        return into;
      }
      default:
        return form satisfies never;
    }
  })();
  const [values] = await backend.read([made]);
  return values ?? [];
}

const reference = await openReferenceBackend();
const expected = new Map<Case, ArrayLike<number>>();
for (const c of CASES) expected.set(c, await matmul(reference, c));

/** Operands in 32 bits differ by the order of their sum; rounded to the 11 bits of f16, by 2⁻¹¹ of each. */
const EXACT = 3e-6;
const F16 = 1e-3;

function agrees(
  variant: MatmulVariantName,
  options: WebGpuBackendOptions,
  tolerance: (format: WeightFormat) => number,
  cases: readonly Case[] = CASES,
): void {
  let opened: Promise<WebGpuBackend> | null = null;
  afterAll(async () => (await opened)?.dispose());
  for (const c of cases) {
    const [form, rows, columns, out, format] = c;
    const name = `${form}, ${rows} rows, ${columns} → ${out}, ${format}`;
    testWhere(matmulVariant(variant), name, { timeout: 120_000 }, async () => {
      opened ??= openNodeWebGpuBackend({ ...options, matmul: variant });
      expect(relativeError(await matmul(await opened, c), expected.get(c) ?? [])).toBeLessThan(tolerance(format));
    });
  }
}

describe.each(MATMUL_VARIANTS)("matmul by %s", (variant) => {
  agrees(variant, {}, (format) => (variant === "f16" && format !== "f16" ? F16 : EXACT));
});

// CPU adapters hold half the rows in registers.
describe("matmul by subgroups, as GPUs get them", () => {
  agrees(
    "subgroups",
    { kernelsFor: "gpu" },
    () => EXACT,
    CASES.filter(
      ([form, rows]) => (form === "x·Wᵀ" && rows === 11) || (form !== "x·Wᵀ + bias + residual" && rows === 71),
    ),
  );
});

describe("forcing a variant", () => {
  it("refuses what the adapter cannot run, naming what it lacks, and leaves the open backend alone", async () => {
    const backend = await openNodeWebGpuBackend();
    const { offered, missing } = offeredVariants(backend.dispatcher.traits.matmul.adapter);
    expect(missing.map(({ variant }) => variant)).toEqual(MATMUL_VARIANTS.filter((name) => !offered.includes(name)));
    for (const { variant, lacks } of missing) {
      expect(lacks).not.toBe("");
      await expect(openNodeWebGpuBackend({ matmul: variant })).rejects.toThrow(
        `Matmul variant "${variant}" cannot run here: this adapter has no ${lacks}`,
      );
    }
    const [values] = await backend.read([backend.zeros([2])]);
    expect(values).toEqual(new Float32Array(2));
    await backend.dispose();
  });

  const described = async (options: WebGpuBackendOptions): Promise<string | undefined> => {
    const backend = await openNodeWebGpuBackend(options);
    await backend.dispose();
    return backend.description.matmul;
  };

  it("is what the backend says it does; without it, GPUs get shared tiles", async () => {
    expect(await described({ matmul: "registerTiles" })).toBe("registerTiles");
    expect(await described({ kernelsFor: "gpu" })).toBe("sharedTiles");
  });

  testWhere(
    matmulVariant("broadcastTiles"),
    "is broadcast tiles by default on CPU adapters with subgroups",
    { timeout: 60_000 },
    async () => expect(await described({ kernelsFor: "software" })).toBe("broadcastTiles"),
  );
});
