/** One word finds a kernel on all three backends. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { KERNEL_FILES } from "./kernelFiles";

const folder = (name: string): URL => new URL(`./${name}/`, import.meta.url);
const FOLDERS = ["webgpu/kernels", "wasm/kernels", "reference/kernels"];
const text = (name: string, file: string): string => readFileSync(new URL(`${file}.ts`, folder(name)), "utf8");

test.each(Object.entries(KERNEL_FILES))("%s is in %s.ts of every backend", (kernel, file) => {
  for (const name of FOLDERS) expect(text(name, file), `${name}/${file}.ts`).toMatch(new RegExp(`\\b${kernel}\\b`));
});

test.each([...new Set(Object.values(KERNEL_FILES))])("wasm/assembly/%s.ts exports what index.ts re-exports", (file) => {
  const exported =
    text("wasm/assembly", "index").match(new RegExp(`export \\{ ([^}]+) \\} from "\\./${file}"`))?.[1] ?? "";
  expect(exported).not.toBe("");
  for (const name of exported.split(", ")) expect(text("wasm/assembly", file)).toContain(`export function ${name}(`);
});

test.each(["wasm/kernels", "reference/kernels"])("%s holds kernels and nothing else", (name) => {
  const files = readdirSync(folder(name)).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  expect(files.sort()).toEqual([...new Set(Object.values(KERNEL_FILES))].map((file) => `${file}.ts`).sort());
});
