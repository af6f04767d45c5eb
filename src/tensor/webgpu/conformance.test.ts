/** Every kernel against the reference home, with the kernels of the adapter at hand. */
import { afterAll, expect, it } from "vitest";
import { conformanceCases } from "../conformance";
import { openReferenceHome } from "../reference/home";
import { openNodeWebGpuHome } from "./node";

const home = await openNodeWebGpuHome();
const reference = await openReferenceHome();
afterAll(() => home.dispose());

for (const c of conformanceCases()) {
  // The first case to use a kernel compiles it, which takes seconds on a software adapter.
  it(c.name, { timeout: 120_000 }, async () => {
    expect((await c.run(home, reference)).failures).toEqual([]);
  });
}
