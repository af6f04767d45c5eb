import { afterAll, expect, test } from "vitest";
import { conformanceCases } from "../conformance";
import { openReferenceHome } from "../reference/home";
import { openWasmHome } from "./home";

const builds = [
  ["fused", await openWasmHome({ fused: true })],
  ["plain", await openWasmHome({ fused: false })],
] as const;
const reference = await openReferenceHome();
afterAll(async () => {
  for (const [, home] of builds) await home.dispose();
  await reference.dispose();
});

for (const [build, home] of builds) {
  for (const c of conformanceCases()) {
    test(`the wasm home's ${build} kernels against the reference: ${c.name}`, async () => {
      expect((await c.run(home, reference)).failures).toEqual([]);
    });
  }
}

test("the description says which build computes", () => {
  expect(builds.map(([, home]) => home.description.features)).toEqual([["simd128", "relaxed-simd"], ["simd128"]]);
});
