/**
 * Opens a library in this process. TensorFlow.js and jax-js are loaded on demand and never share a process in a
 * benchmark.
 */
import type { BackendName } from "../tensor/backend";
import type { Library, LibraryName } from "./contender";

export async function openLibrary(name: LibraryName, backend: BackendName): Promise<Library> {
  switch (name) {
    case "ours":
      return (await import("./ours/library")).openOurs(backend);
    case "tfjs":
      return (await import("./peers/tfjs/library")).openTfjs(backend);
    case "jax-js":
      return (await import("./peers/jax/library")).openJax(backend);
    default:
      return name satisfies never;
  }
}
