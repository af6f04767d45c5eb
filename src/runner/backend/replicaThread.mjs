/**
 * The first file of a replica's thread. tsx' `--import` registers its loader in the main thread only (Node 20),
 * so a thread registers it itself, in plain JavaScript, before anything in TypeScript is imported.
 */
import { register } from "tsx/esm/api";

register();
await import("./replicaThread.ts");
