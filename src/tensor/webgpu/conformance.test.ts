/**
 * Every kernel against the reference home, with the kernels of the adapter at hand; and those that GPUs get where an adapter that is
 * a CPU gets others, wherever the tests run.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conformanceCases } from "../conformance";
import { openReferenceHome } from "../reference/home";
import type { WebGpuHome, WebGpuHomeOptions } from "./home";
import { openNodeWebGpuHome } from "./node";

const reference = await openReferenceHome();

/** Products have their own test, of every variant. */
const OF_GPUS = /^(attention|rmsNorm|tokenLogprobs)/;

const KINDS: readonly (readonly [name: string, options: WebGpuHomeOptions, only: RegExp])[] = [
  ["the adapter at hand", {}, /^/],
  ["a GPU", { kernelsFor: "gpu" }, OF_GPUS],
];

describe.each(KINDS)("kernels for %s", (_name, options, only) => {
  let home: WebGpuHome;
  beforeAll(async () => {
    home = await openNodeWebGpuHome(options);
  });
  afterAll(() => home.dispose());

  for (const c of conformanceCases().filter(({ name }) => only.test(name))) {
    // The first case to use a kernel compiles it, which takes seconds on a software adapter.
    it(c.name, { timeout: 120_000 }, async () => {
      expect((await c.run(home, reference)).failures).toEqual([]);
    });
  }
});
