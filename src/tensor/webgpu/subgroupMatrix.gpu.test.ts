/**
 * Products on matrix units, which no software adapter has: its tiling, staging, orders and edges run with emulated
 * units, and its WGSL goes through the compiler, on Dawn's backend that computes nothing but knows every feature. The
 * matrix instructions themselves are not run here.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { create, globals } from "webgpu";
import type { Backend } from "../backend";
import { packWeight } from "../packedWeight";
import { randomUniform } from "../random";
import { openReferenceBackend } from "../reference/backend";
import { relativeError } from "../testing/conformance/conformance";
import { adapterAtHand, all, feature, type Requirement, testWhere } from "../testing/testWhere";
import type { WebGpuBackend } from "./backend";
import { shaderCode } from "./kernelSpec";
import { matmulSpec } from "./kernels/matmul";
import {
  FRAGMENT_FEATURE,
  type FragmentConfig,
  type FragmentDialect,
  type FragmentSupport,
  fragmentDialect,
  orderAsArgument,
  orderAsTemplate,
} from "./kernels/matmul/fragments";
import { subgroupMatrix } from "./kernels/matmul/subgroupMatrix";
import type { MatmulAdapter } from "./kernels/matmul/variant";
import { weightAccess } from "./kernels/weightAccess";
import { openNodeWebGpuBackend } from "./node";
import { emulatedFragments } from "./testing/emulatedFragments";

const NVIDIA: FragmentConfig = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
const APPLE: FragmentConfig = { componentType: "f32", resultComponentType: "f32", M: 8, N: 8, K: 8 };
const UNEVEN: FragmentConfig = { componentType: "f16", resultComponentType: "f32", M: 8, N: 16, K: 16 };

function adapterWith(dialect: FragmentDialect, ...configs: FragmentConfig[]): MatmulAdapter {
  const features = new Set(["shader-f16", "subgroups", FRAGMENT_FEATURE]);
  return {
    software: false,
    features,
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupIndex: true,
    workgroupBytes: 32768,
    fragments: { dialect, configs },
  };
}

describe("what it asks of an adapter", () => {
  const whole = adapterWith(orderAsTemplate, NVIDIA);
  it.each<[string, MatmulAdapter, RegExp | null]>([
    ["NVIDIA's units", whole, null],
    ["Apple's units", adapterWith(orderAsArgument, APPLE), null],
    ["no such feature", { ...whole, features: new Set(), fragments: null }, /feature/],
    [
      "integers only",
      adapterWith(orderAsTemplate, { componentType: "i8", resultComponentType: "i32", M: 16, N: 16, K: 16 }),
      /configuration/,
    ],
    ["sums in f16", adapterWith(orderAsTemplate, { ...NVIDIA, resultComponentType: "f16" }), /configuration/],
    ["f16 units without shader-f16", { ...whole, features: new Set([FRAGMENT_FEATURE, "subgroups"]) }, /configuration/],
    ["subgroups of several sizes", { ...whole, subgroupMinSize: 8 }, /one size/],
    ["little workgroup memory", { ...whole, workgroupBytes: 16384 }, /workgroup memory/],
  ])("%s", (_what, adapter, lacks) => {
    if (lacks === null) expect(subgroupMatrix.lacks(adapter)).toBeNull();
    else expect(subgroupMatrix.lacks(adapter)).toMatch(lacks);
  });

  it("f16 units take x·Wᵀ only, f32 units everything; where both are, packed weights take f16", () => {
    const shape = { orientation: "NN", m: 64, n: 64, k: 64, format: "f16" } as const;
    expect(subgroupMatrix.plan(shape, whole)).toBeNull();
    expect(
      subgroupMatrix.plan({ ...shape, orientation: "TN", format: "f32" }, adapterWith(orderAsTemplate, APPLE)),
    ).not.toBeNull();
    const both = adapterWith(orderAsTemplate, APPLE, NVIDIA);
    expect(subgroupMatrix.rounds({ orientation: "NT", format: "f32" }, both)).toBe(false);
    expect(subgroupMatrix.rounds({ orientation: "NT", format: "int4" }, both)).toBe(true);
  });
});

describe("its WGSL compiles", () => {
  let device: GPUDevice;
  beforeAll(async () => {
    Object.assign(globalThis, globals);
    const adapter = await create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]).requestAdapter();
    const features = ["shader-f16", "subgroups", FRAGMENT_FEATURE].map((name) => name as GPUFeatureName);
    if (!adapter) throw new Error("Dawn's null backend gives no adapter.");
    device = await adapter.requestDevice({ requiredFeatures: features });
  });
  afterAll(() => device.destroy());

  it("in the spelling that the device is asked for", async () =>
    expect((await fragmentDialect(device))?.name).toBe(orderAsTemplate.name));

  it.each([
    [orderAsTemplate, NVIDIA],
    [orderAsTemplate, APPLE],
    [orderAsTemplate, UNEVEN],
    [orderAsArgument, UNEVEN],
  ] as const)("%o, %o", async (dialect, config) => {
    const adapter = adapterWith(dialect, config);
    const plans = (["NT", "NN", "TN"] as const).flatMap((orientation) =>
      (["f32", "f16", "int4"] as const).flatMap((format) =>
        [100, 1000].flatMap((m) => {
          const plan =
            orientation === "TN" && format !== "f32"
              ? null
              : subgroupMatrix.plan({ orientation, m, n: 1000, k: 1000, format }, adapter);
          return plan === null
            ? []
            : [shaderCode(matmulSpec(orientation, weightAccess(format, true), plan, true, true))];
        }),
      ),
    );
    expect(plans.length).toBe(config === APPLE ? 14 : 6);
    for (const code of plans) {
      device.pushErrorScope("validation");
      device.createShaderModule({ code });
      expect((await device.popErrorScope())?.message).toBeUndefined();
    }
  });
});

describe("with emulated units", () => {
  const numbers = (count: number, stream: number, scale = 1): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => scale * (2 * randomUniform(9, stream, 0, i) - 1));
  let backend: WebGpuBackend | null = null;
  const reference = openReferenceBackend();
  const unitsFor = (componentType: "f32" | "f16", M: number): FragmentSupport => ({
    dialect: emulatedFragments(M),
    configs: [{ componentType, resultComponentType: "f32", M, N: 16, K: 32 }],
  });
  /** Emulated units need what real ones need, but for the units. */
  const emulates =
    (componentType: "f32" | "f16"): Requirement =>
    (adapter) => {
      const lacks = subgroupMatrix.lacks({ ...adapter, fragments: unitsFor(componentType, adapter.subgroupMaxSize) });
      return lacks === null ? null : `the adapter has no ${lacks}`;
    };
  const open = async (componentType: "f32" | "f16"): Promise<WebGpuBackend> => {
    const { subgroupMaxSize } = await adapterAtHand();
    backend = await openNodeWebGpuBackend({
      matmul: "subgroupMatrix",
      fragments: unitsFor(componentType, subgroupMaxSize),
    });
    return backend;
  };
  afterEach(async () => {
    await backend?.dispose();
    backend = null;
  });
  const [rows, columns, out] = [37, 52, 68];

  const f32Units = all(feature("subgroups"), emulates("f32"));
  testWhere(f32Units, "of f32: x·Wᵀ, dy·W, dyᵀ·x as the reference has them", { timeout: 240_000 }, async () => {
    const backend = await open("f32");
    expect(backend.description.f16Matmul).toBeUndefined();
    const matmul = async (on: Backend): Promise<readonly ArrayLike<number>[]> => {
      const weight = packWeight(on, numbers(out * columns, 1), out, columns, "f32");
      const [x, dy, dw] = [
        on.upload(numbers(rows * columns, 2), [rows, columns]),
        on.upload(numbers(rows * out, 3), [rows, out]),
        on.upload(numbers(out * columns, 4), [out, columns]),
      ];
      const y = on.kernels.linear(
        x,
        weight,
        on.upload(numbers(out, 5), [out]),
        on.upload(numbers(rows * out, 6), [rows, out]),
      );
      const dx = on.kernels.linearGradInput(dy, weight, null);
      on.kernels.linearGradWeight(x, dy, dw, null);
      return on.read([y, dx, dw]);
    };
    const [got, expected] = [await matmul(backend), await matmul(await reference)];
    for (const [i, values] of expected.entries()) expect(relativeError(got[i] ?? [], values)).toBeLessThan(3e-6);
  });

  const f16Units = all(feature("subgroups"), feature("shader-f16"), emulates("f16"));
  const f16Test = "of f16: activations far beyond a half's range keep their digits, and dy·W is left to shared tiles";
  testWhere(f16Units, f16Test, { timeout: 240_000 }, async () => {
    const backend = await open("f16");
    expect(backend.description.f16Matmul).toBe(true);
    const matmul = async (on: Backend): Promise<readonly ArrayLike<number>[]> => {
      const weight = packWeight(on, numbers(out * columns, 1), out, columns, "f16");
      const dx = on.kernels.linearGradInput(on.upload(numbers(rows * out, 3, 1e-9), [rows, out]), weight, null);
      return on.read([
        on.kernels.linear(on.upload(numbers(rows * columns, 2, 5e5), [rows, columns]), weight, null, null),
        dx,
      ]);
    };
    const [[y, dx], [expectedY, expectedDx]] = [await matmul(backend), await matmul(await reference)];
    expect(relativeError(y ?? [], expectedY ?? [])).toBeLessThan(1e-3);
    expect(relativeError(dx ?? [], expectedDx ?? [])).toBeLessThan(3e-6);
  });
});
