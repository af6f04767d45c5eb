/**
 * Tests that need something that not every adapter offers. The test asks the adapter; if it does not, the test counts
 * as skipped and the closing line of the run lists it by name and reason.
 */
import { type TestContext, test } from "vitest";
import { offeredVariants } from "../webgpu/kernels/matmul/choice";
import type { MatmulAdapter, MatmulVariantName } from "../webgpu/kernels/matmul/variant";
import { openNodeWebGpuBackend } from "../webgpu/node";

/** → what the adapter lacks, as a sentence without its full stop; null where it lacks nothing */
export type Requirement = (adapter: MatmulAdapter) => string | null;

export const feature =
  (name: string): Requirement =>
  ({ features }) =>
    features.has(name) ? null : `the adapter has no feature "${name}"`;

export const matmulVariant =
  (name: MatmulVariantName): Requirement =>
  (adapter) => {
    const missing = offeredVariants(adapter).missing.find(({ variant }) => variant === name);
    return missing === undefined ? null : `the adapter has no ${missing.lacks}`;
  };

export const all =
  (...requirements: readonly Requirement[]): Requirement =>
  (adapter) =>
    requirements.map((requirement) => requirement(adapter)).find((lacks) => lacks !== null) ?? null;

/** Registers a test that runs where the adapter meets the requirement. */
export function testWhere(
  requirement: Requirement,
  name: string,
  options: { readonly timeout: number },
  body: (context: TestContext) => Promise<void>,
): void {
  test(name, options, async (context) => {
    const lacks = requirement(await adapterAtHand());
    if (lacks !== null) context.skip(lacks);
    await body(context);
  });
}

let adapter: Promise<MatmulAdapter> | null = null;

/** The adapter that the tests run on, queried once per test file. */
export function adapterAtHand(): Promise<MatmulAdapter> {
  adapter ??= askAdapter();
  return adapter;
}

async function askAdapter(): Promise<MatmulAdapter> {
  const backend = await openNodeWebGpuBackend();
  const asked = backend.dispatcher.traits.matmul.adapter;
  await backend.dispose();
  return asked;
}
