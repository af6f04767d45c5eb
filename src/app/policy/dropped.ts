/** A checkpoint folder that was dropped on the page or picked: its files, with paths relative to the folder. */
import type { PolicySource } from "../../worker/protocol";

type FilesSource = Extract<PolicySource, { kind: "files" }>;

/** Required files of a Hugging Face folder; the worker checks their contents, and names other kinds of weights. */
const NEEDED = [/^config\.json$/, /^tokenizer\.json$/];

/** Maximum size: a full-size checkpoint is rejected before it is read into memory. */
const LARGEST = 512 * 2 ** 20;

async function entriesOf(entry: FileSystemEntry, path: string): Promise<{ path: string; file: File }[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  // A reader returns its entries in batches, the last one empty.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) break;
    found.push(...batch);
  }
  const nested = await Promise.all(
    found.map((each) => entriesOf(each, path === "" ? each.name : `${path}/${each.name}`)),
  );
  return nested.flat();
}

/** @throws Error that says which file is missing or too large */
export async function readPolicy(
  files: readonly { readonly path: string; readonly file: File }[],
): Promise<FilesSource> {
  const missing = NEEDED.filter((pattern) => !files.some(({ path }) => pattern.test(path)));
  if (missing.length > 0) {
    const names = missing.map((pattern) => pattern.source.replace(/[\\^$]/g, "")).join(", ");
    throw new Error(
      `This is not a Hugging Face checkpoint folder: ${names} is missing. ` +
        (files.some(({ path }) => path === "adapter_config.json")
          ? "It is a LoRA adapter: merge it into its policy (npm run srpo -- merge) and drop the merged folder."
          : "Drop the folder that contains config.json, tokenizer.json and the weights."),
    );
  }
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  if (size > LARGEST)
    throw new Error(
      `This folder has ${Math.round(size / 2 ** 20)} MiB; the page opens at most ${LARGEST / 2 ** 20} MiB. ` +
        "Train larger checkpoints on the command line: npm run srpo -- train --help.",
    );
  return {
    kind: "files",
    files: await Promise.all(files.map(async ({ path, file }) => ({ path, bytes: await file.arrayBuffer() }))),
  };
}

/** From a drop: a folder, or its files. */
export async function policyFromDrop(items: DataTransferItemList): Promise<FilesSource> {
  const entries = [...items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const found = await Promise.all(entries.map((entry) => entriesOf(entry, entry.isDirectory ? "" : entry.name)));
  return readPolicy(found.flat());
}

/** From a directory picker: paths begin with the folder's own name. */
export function policyFromPicker(files: FileList): Promise<FilesSource> {
  return readPolicy(
    [...files].map((file) => ({ path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file })),
  );
}
