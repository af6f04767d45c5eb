/** Deep-merges patches, links, run files and recipes into settings. */

/** A section: an object that is merged key by key. Arrays and null are values. */
export function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `patch` merged into `base`, section by section. A key that the patch leaves out, or gives as undefined, stays. */
export function overlay<T extends object>(base: T, patch: object): T {
  const out = new Map<string, unknown>(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    const under = out.get(key);
    out.set(key, isSection(under) && isSection(value) ? overlay(under, value) : value);
  }
  return Object.fromEntries(out) as T;
}
