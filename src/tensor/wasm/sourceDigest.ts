/**
 * What ties a compiled kernel to its sources: the build appends a digest of them as a custom section, and Node's loader
 * compares it, since stale kernels compute wrong numbers without failing. In Node only; a page is bundled with kernels
 * that were just compiled.
 */

/** The section's bytes without the digest: custom section (id 0) of 40 bytes, named "sources". */
const HEAD = Uint8Array.of(0, 40, 7, ...new TextEncoder().encode("sources"));

/** The section for the sources as they are now: SHA-256 of assembly/*.ts and of the compiler's command lines. */
export function sourcesSection(): Uint8Array {
  const { readdirSync, readFileSync } = process.getBuiltinModule("node:fs");
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { dirname, join } = process.getBuiltinModule("node:path");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  // Not `new URL(file, import.meta.url)`: a bundler would copy the file into the page.
  const here = dirname(fileURLToPath(import.meta.url));
  const folder = join(here, "assembly");
  const hash = createHash("sha256");
  const add = (text: string): void => void hash.update(`${text.length}:${text}`);
  for (const name of readdirSync(folder).sort()) {
    add(name);
    add(readFileSync(join(folder, name), "utf8"));
  }
  const commands = /"kernels:(?:plain|fused)": .*/g;
  const scripts = readFileSync(join(here, "..", "..", "..", "package.json"), "utf8");
  for (const line of scripts.match(commands) ?? []) add(line);
  return Uint8Array.of(...HEAD, ...hash.digest());
}

/** Whether the binary ends with this section. */
export function endsWith(binary: Uint8Array, section: Uint8Array): boolean {
  const end = binary.subarray(Math.max(0, binary.length - section.length));
  return end.length === section.length && end.every((byte, i) => byte === section[i]);
}
