/**
 * The groups of vitest.config.ts: every test file is in one, unit tests open no device, and no test is skipped in
 * silence.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { openNodeWebGpuBackend } from "./tensor/webgpu/node";

const testFiles = ["src", "e2e", "testing"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(test|spec)\.[a-z]+$/.test(path))
    .map((path) => join(folder, path)),
);

test("every test file belongs to one group, named as vitest.config.ts says", { timeout: 60_000 }, () => {
  const list = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", "list", "--filesOnly", "--json"], {
    encoding: "utf8",
  });
  const listed: readonly { readonly file: string; readonly projectName: string }[] = JSON.parse(list.stdout);
  const group = (path: string): string =>
    path.startsWith("e2e") ? "e2e" : /\.(gpu|slow)\.test\.ts$/.test(path) ? "gpu" : "unit";
  expect(listed.map(({ file, projectName }) => `${projectName}: ${relative("", file)}`).sort()).toEqual(
    testFiles.map((path) => `${group(path)}: ${path}`).sort(),
  );
});

test("a unit test cannot open WebGPU, nor can a process that it starts", async () => {
  await expect(openNodeWebGpuBackend()).rejects.toThrow(/A unit test must not open WebGPU/);
  expect(existsSync(process.env.VK_ICD_FILENAMES ?? "")).toBe(false);
});

test("a unit test cannot open a browser", async () => {
  await expect(import("playwright-core")).rejects.toThrow(/A unit test must not open a browser/);
  expect(existsSync(process.env.SRPO_BROWSER ?? "")).toBe(false);
});

test("a test that cannot run says why: none is skipped but by testWhere", () => {
  const silent = /\b(describe|test|it)\.(skip|only|todo|skipIf|runIf)\b|\bif \(.*\)\s*\{?\s*(describe|test|it)\(/;
  expect(testFiles.filter((path) => silent.test(readFileSync(path, "utf8")))).toEqual([]);
});
