/** What the first view loads is small, and nothing that only Node has is in the bundle. */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";

const ASSETS = "dist/assets";
/** Bytes of gzipped JavaScript before the first view is drawn. */
const BUDGET = 250_000;

const scripts = readdirSync(ASSETS).filter((name) => name.endsWith(".js"));
const text = (name: string): string => readFileSync(join(ASSETS, name), "utf8");
/** Specifiers of static imports and re-exports in a built chunk. */
const imported = (code: string): string[] => [...code.matchAll(/(?:^|[;}\s])(?:import|export)\s*(?:[\w$*{][^"'`;()]*?\bfrom\s*)?["']([^"']+)["']/g)].flatMap((match) => match[1] ?? []);
const dynamicallyImported = (code: string): string[] => [...code.matchAll(/\bimport\(\s*["'`]([^"'`]+)["'`]/g)].flatMap((match) => match[1] ?? []);

/** The scripts that index.html names, and what they import statically. */
function firstView(): string[] {
  const html = readFileSync("dist/index.html", "utf8");
  const seen = new Set<string>();
  const waiting = [...html.matchAll(/(?:src|href)="\.\/assets\/([^"]+\.js)"/g)].flatMap((match) => match[1] ?? []);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    waiting.push(...imported(text(name)).map((path) => path.replace(/^\.\//, "")));
  }
  return [...seen];
}

describe("the built page", () => {
  test("needs at most 250 kB of gzipped JavaScript for its first view", () => {
    const chunks = firstView();
    expect(chunks.length, "scripts named by dist/index.html").toBeGreaterThan(0);
    const sizes = chunks.map((name) => [name, gzipSync(text(name)).length] as const);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(total, `bytes of ${JSON.stringify(Object.fromEntries(sizes))}`).toBeLessThanOrEqual(BUDGET);
  });

  test("the curves and the engine are not part of the first view", () => {
    const code = firstView().map(text).join("\n");
    expect(code, "Recharts in the first view").not.toContain("recharts-surface");
    expect(code, "kernels in the first view").not.toContain("@compute");
  });

  test("imports nothing that only Node has", () => {
    expect(scripts.flatMap((name) => imported(text(name))).length, "static imports that this test sees").toBeGreaterThan(5);
    const node = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);
    for (const name of scripts) {
      const code = text(name);
      const wanted = [...imported(code), ...dynamicallyImported(code)];
      expect(wanted.filter((path) => node.has(path) || !/^(\.{1,2}\/|\/|data:|blob:)/.test(path)), `${name} imports from outside the bundle`).toEqual([]);
      expect(code, `${name} holds an emptied Node module`).not.toMatch(/__vite-browser-external|has been externalized for browser compatibility/);
      expect(code, `${name} holds the native WebGPU module`).not.toMatch(/dawn\.node|dawn-node/);
    }
  });
});
