/**
 * Imports a file in a thread of its own, to see whether that ends. A thread registers tsx' loader itself (Node 20), in
 * plain JavaScript, before anything in TypeScript is imported. Errors are for the import that follows to report.
 */
import { parentPort, workerData } from "node:worker_threads";

if (/\.[cm]?tsx?$/.test(workerData)) (await import("tsx/esm/api")).register();
await import(workerData).catch(() => undefined);
parentPort?.postMessage("ended");
