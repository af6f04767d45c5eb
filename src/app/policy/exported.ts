/** Download the trained policy as a zip of its Hugging Face folder. */
import { zip } from "./zip";

export interface PolicyFile {
  readonly path: string;
  readonly bytes: ArrayBuffer;
}

export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  // The browser needs the URL only until the download has started.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

export function downloadPolicy(files: readonly PolicyFile[], name = "srpo-policy"): void {
  download(
    `${name}.zip`,
    zip(files.map(({ path, bytes }) => ({ path: `${name}/${path}`, bytes: new Uint8Array(bytes) }))),
  );
}
