/**
 * Every kernel against the reference backend, with this adapter's kernels; and, on CPU adapters, with the kernels that
 * only GPUs get.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openReferenceBackend } from "../reference/backend";
import { conformanceCases } from "../testing/conformance/conformance";
import type { WebGpuBackend, WebGpuBackendOptions } from "./backend";
import { openNodeWebGpuBackend } from "./node";

const reference = await openReferenceBackend();

/** Products have their own test, of every variant. */
const OF_GPUS = /^(attention|rmsNorm|tokenLogprobs)/;

const KINDS: readonly (readonly [name: string, options: WebGpuBackendOptions, only: RegExp])[] = [
  ["the adapter at hand", {}, /^/],
  ["a GPU", { kernelsFor: "gpu" }, OF_GPUS],
];

describe.each(KINDS)("kernels for %s", (_name, options, only) => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await openNodeWebGpuBackend(options);
  });
  afterAll(() => backend.dispose());

  for (const c of conformanceCases().filter(({ name }) => only.test(name))) {
    // The first case to use a kernel compiles it, which takes seconds on a software adapter.
    it(c.name, { timeout: 120_000 }, async () => {
      expect((await c.run(backend, reference)).failures).toEqual([]);
    });
  }
});
