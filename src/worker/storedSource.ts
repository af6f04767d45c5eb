/**
 * The policy that the stored run started from: a shipped policy's name, or the files that a visitor dropped, so a
 * reload can resume a policy that exists nowhere else.
 */
import { z } from "zod";
import { type PolicySource, SHIPPED } from "./protocol";
import type { SnapshotStore } from "./store";

const KEY = "source";
const fileKey = (path: string): string => `source:${path}`;

const recordSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("shipped"), name: z.enum(SHIPPED) }),
  z.object({ kind: z.literal("files"), paths: z.array(z.string()) }),
]);

export async function storeSource(store: SnapshotStore, source: PolicySource): Promise<void> {
  const earlier = await readRecord(store);
  if (earlier?.kind === "files") for (const path of earlier.paths) await store.delete(fileKey(path));
  const files = source.kind === "files" ? source.files : [];
  for (const { path, bytes } of files) await store.put(fileKey(path), new Uint8Array(bytes));
  const record = source.kind === "shipped" ? source : { kind: source.kind, paths: files.map(({ path }) => path) };
  await store.put(KEY, new Uint8Array(new TextEncoder().encode(JSON.stringify(record))));
}

/** Null if no run is stored. @throws Error when a file is missing */
export async function storedSource(store: SnapshotStore): Promise<PolicySource | null> {
  const record = await readRecord(store);
  if (record === null || record.kind === "shipped") return record;
  const files = await Promise.all(
    record.paths.map(async (path) => {
      const bytes = await store.get(fileKey(path));
      if (bytes === null) throw new Error(`the file ${path} of the stored policy is missing`);
      return { path, bytes: Uint8Array.from(bytes).buffer };
    }),
  );
  return { kind: "files", files };
}

async function readRecord(store: SnapshotStore): Promise<z.output<typeof recordSchema> | null> {
  const bytes = await store.get(KEY);
  if (bytes === null) return null;
  const parsed = recordSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!parsed.success) throw new Error("the stored policy's record is damaged");
  return parsed.data;
}
