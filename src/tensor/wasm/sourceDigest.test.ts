import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { endsWith, sourcesSection } from "./sourceDigest";

const compiled = (name: string): Uint8Array<ArrayBuffer> => Uint8Array.from(readFileSync(`src/tensor/wasm/${name}`));

test("the compiled kernels carry the digest of their sources, as a section that engines ignore", () => {
  for (const name of ["kernels.wasm", "kernelsFused.wasm"])
    expect(endsWith(compiled(name), sourcesSection())).toBe(true);
  const sections = WebAssembly.Module.customSections(new WebAssembly.Module(compiled("kernels.wasm")), "sources");
  expect(sections.map(({ byteLength }) => byteLength)).toEqual([32]);
});

test("a binary of other sources, or without a digest, is noticed", () => {
  const section = sourcesSection();
  const other = section.with(-1, (section.at(-1) ?? 0) ^ 1);
  expect(endsWith(compiled("kernels.wasm"), other)).toBe(false);
  expect(endsWith(compiled("kernels.wasm").subarray(0, -section.length), section)).toBe(false);
  expect(endsWith(new Uint8Array(3), section)).toBe(false);
});
