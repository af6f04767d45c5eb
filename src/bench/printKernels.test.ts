/** `npm run kernels:print`: the code of every kernel, without a GPU. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { KERNEL_FILES } from "../tensor/kernelFiles";
import { LISTED_ADAPTERS, LISTED_FILES, listedKernels } from "../tensor/webgpu/kernelListing";
import { MATMUL_VARIANTS } from "../tensor/webgpu/kernels/matmul/variant";

/** Without a Vulkan loader or a display: nothing may look for an adapter. */
function print(...names: string[]) {
  const { LD_LIBRARY_PATH: _, VK_ICD_FILENAMES: __, ...env } = process.env;
  return spawnSync(process.execPath, ["--import", "tsx", "src/bench/printKernels.ts", ...names], {
    encoding: "utf8",
    env,
  });
}

describe("generated code", () => {
  test.each(LISTED_FILES)(
    "%s: every variant is a whole module, and every kernel of the file is among them",
    async (file) => {
      const listed = await listedKernels(file);
      for (const { name, adapters, code } of listed) {
        expect(code, name).toContain("@compute @workgroup_size");
        expect(code, name).toContain("fn kernel(");
        expect(adapters.length).toBeGreaterThan(0);
      }
      expect(new Set(listed.map(({ name, code }) => `${name}\n${code}`)).size).toBe(listed.length);
      expect(new Set(listed.flatMap(({ adapters }) => adapters)).size).toBe(LISTED_ADAPTERS.length);
    },
  );

  test("every name that a kernel is compiled under is listed", async () => {
    const folder = new URL("../tensor/webgpu/kernels/", import.meta.url);
    const named = readdirSync(folder)
      .filter((file) => file.endsWith(".ts"))
      .flatMap((file) => [
        ...readFileSync(new URL(file, folder), "utf8").matchAll(/dispatcher\s*\.kernel\(\s*["`]([A-Za-z]+)/g),
      ])
      .map((match) => match[1] ?? "");
    expect(named.length).toBeGreaterThan(12);
    const listed = (await Promise.all(LISTED_FILES.map(listedKernels))).flat().map(({ name }) => name.split(" ")[0]);
    expect(named.filter((name) => !listed.includes(name))).toEqual([]);
    // Those named by a variable: the element-wise kernels, attention, and the matmul of linear layers.
    for (const kernel of Object.keys(KERNEL_FILES).filter((name) => !/^(linear|rope$|embedding)/.test(name)))
      expect(listed, kernel).toContain(kernel);
  });

  test("linear: every matmul variant that an adapter can run has code of its own", async () => {
    const keys = {
      registerTiles: "registers",
      broadcastTiles: "broadcasts",
      sharedTiles: "tiles",
      subgroups: "dots",
      f16: "f16Tiles",
      subgroupMatrix: "matrices",
    };
    const names = (await listedKernels("linear")).map(({ name }) => name);
    for (const variant of MATMUL_VARIANTS)
      expect(names.filter((name) => name.includes(` ${keys[variant]}`)).length, variant).toBeGreaterThan(0);
  });
});

describe("npm run kernels:print", { timeout: 30_000 }, () => {
  test("prints the modules of one kernel, each under its name", () => {
    const { status, stdout } = print("attention");
    expect(status).toBe(0);
    expect(stdout).toContain("// attention ");
    expect(stdout).toContain("// attentionGrad kv ");
    expect(stdout).toContain("@compute");
  });

  test("of a file, names modules that it shares with others without printing them", () => {
    const { stdout } = print("policyLoss");
    expect(stdout).toContain("// policyLoss ");
    expect(stdout).not.toMatch(/^\/\/ columnSums/m);
    expect(stdout).toContain("// also runs columnSums: npm run kernels:print -- columnSums");
  });

  test("prints a shared module by its own name", () => {
    expect(print("columnSums").stdout).toMatch(/^\/\/ columnSums scaled/m);
  });

  test("prints one kernel of a file that has several", () => {
    const { stdout } = print("swiglu");
    expect(stdout).toMatch(/^\/\/ swiglu/m);
    expect(stdout).not.toMatch(/^\/\/ (swigluGrad|gelu)/m);
  });

  test("without a name lists the kernels", () => {
    const { status, stdout } = print();
    expect(status).toBe(0);
    for (const file of LISTED_FILES) expect(stdout).toMatch(new RegExp(`^${file} `, "m"));
  });

  test("answers a name that it does not know with the nearest ones, and status 2", () => {
    const { status, stderr } = print("atention");
    expect(status).toBe(2);
    expect(stderr).toContain('There is no kernel "atention". The nearest names: attention, ');
  });
});
