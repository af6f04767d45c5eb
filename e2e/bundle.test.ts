/** What the first view loads is small, and nothing that only Node has is in the bundle. */
import { readdirSync } from "node:fs";
import { builtinModules } from "node:module";
import { describe, expect, test } from "vitest";
import { firstView, firstViewSizes, imported, scriptText as text } from "./setup/firstView";

const ASSETS = "dist/assets";
/** Bytes of gzipped JavaScript before the first view is drawn. */
const BUDGET = 250_000;

const scripts = readdirSync(ASSETS).filter((name) => name.endsWith(".js"));
const dynamicallyImported = (code: string): string[] =>
  [...code.matchAll(/\bimport\(\s*["'`]([^"'`]+)["'`]/g)].flatMap((match) => match[1] ?? []);

describe("the built page", () => {
  test("needs at most 250 kB of gzipped JavaScript for its first view", () => {
    const sizes = firstViewSizes();
    expect(sizes.size, "scripts named by dist/index.html").toBeGreaterThan(0);
    const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    expect(total, `bytes of ${JSON.stringify(Object.fromEntries(sizes))}`).toBeLessThanOrEqual(BUDGET);
  });

  test("the curves and the engine are not part of the first view", () => {
    const code = firstView().map(text).join("\n");
    expect(code, "Recharts in the first view").not.toContain("recharts-surface");
    expect(code, "kernels in the first view").not.toContain("@compute");
  });

  test("imports nothing that only Node has", () => {
    expect(
      scripts.flatMap((name) => imported(text(name))).length,
      "static imports that this test sees",
    ).toBeGreaterThan(5);
    const node = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);
    for (const name of scripts) {
      const code = text(name);
      const wanted = [...imported(code), ...dynamicallyImported(code)];
      expect(
        wanted.filter((path) => node.has(path) || !/^(\.{1,2}\/|\/|data:|blob:)/.test(path)),
        `${name} imports from outside the bundle`,
      ).toEqual([]);
      expect(code, `${name} holds an emptied Node module`).not.toMatch(
        /__vite-browser-external|has been externalized for browser compatibility/,
      );
      expect(code, `${name} holds the native WebGPU module`).not.toMatch(/dawn\.node|dawn-node/);
    }
  });
});
