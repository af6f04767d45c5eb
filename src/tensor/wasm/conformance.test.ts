import { afterAll, expect, test } from "vitest";
import { openReferenceBackend } from "../reference/backend";
import { conformanceCases } from "../testing/conformance/conformance";
import { openWasmBackend } from "./backend";

const builds = [
  ["fused", await openWasmBackend({ fused: true })],
  ["plain", await openWasmBackend({ fused: false })],
] as const;
const reference = await openReferenceBackend();
afterAll(async () => {
  for (const [, backend] of builds) await backend.dispose();
  await reference.dispose();
});

for (const [build, backend] of builds) {
  for (const c of conformanceCases()) {
    test(`the wasm backend's ${build} kernels against the reference: ${c.name}`, async () => {
      expect((await c.run(backend, reference)).failures).toEqual([]);
    });
  }
}

test("the description says which build computes", () => {
  expect(builds.map(([, backend]) => backend.description.features)).toEqual([["simd128", "relaxed-simd"], ["simd128"]]);
});
