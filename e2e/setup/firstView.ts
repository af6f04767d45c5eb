/** The JavaScript that the built page loads before its first view is drawn. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const ASSETS = "dist/assets";

/** A built script's code. */
export const scriptText = (name: string): string => readFileSync(join(ASSETS, name), "utf8");

/** Specifiers of static imports and re-exports in a built chunk. */
export const imported = (code: string): string[] =>
  [...code.matchAll(/(?:^|[;}\s])(?:import|export)\s*(?:[\w$*{][^"'`;()]*?\bfrom\s*)?["']([^"']+)["']/g)].flatMap(
    (match) => match[1] ?? [],
  );

/** The scripts that index.html names, and what they import statically. */
export function firstView(): string[] {
  const html = readFileSync("dist/index.html", "utf8");
  const seen = new Set<string>();
  const waiting = [...html.matchAll(/(?:src|href)="\.\/assets\/([^"]+\.js)"/g)].flatMap((match) => match[1] ?? []);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    waiting.push(...imported(scriptText(name)).map((path) => path.replace(/^\.\//, "")));
  }
  return [...seen];
}

/** Bytes of each first-view script, gzipped. */
export function firstViewSizes(): ReadonlyMap<string, number> {
  return new Map(firstView().map((name) => [name, gzipSync(scriptText(name)).length]));
}
