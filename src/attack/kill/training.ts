/** `srpo train` as a process that is killed, and what its folder holds in the end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { STOP_VARIABLE } from "./points";

/** Milliseconds after which a process counts as hung. */
const PATIENCE = 900_000;

export interface Trained {
  /** Null: killed by a signal. */
  readonly code: number | null;
  readonly said: string;
}

/**
 * Start the run in a folder, or resume it if it has begun.
 * @param stop a point of stopAt.ts
 * @param onTraining called when steps begin
 */
export function train(
  folder: string,
  args: readonly string[],
  { stop = null, onTraining = () => undefined }: TrainOptions = {},
): Promise<Trained> {
  const preload = stop === null ? [] : ["--import", fileURLToPath(new URL("./stopAt.ts", import.meta.url))];
  const resume = existsSync(join(folder, "plan.json")) ? ["--resume"] : [];
  const child = spawn(
    process.execPath,
    ["--import", "tsx", ...preload, "src/runner/cli.ts", "train", "--out", folder, ...args, ...resume],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...(stop === null ? {} : { [STOP_VARIABLE]: stop }) },
    },
  );
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    const before = said;
    said += chunk.toString();
    const begun = /^(training from|resumed at) /m;
    if (begun.test(said) && !begun.test(before)) onTraining(child);
  });
  const hung = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  return new Promise((resolve) =>
    child.on("close", (code) => {
      clearTimeout(hung);
      resolve({ code, said });
    }),
  );
}

interface TrainOptions {
  readonly stop?: string | null;
  readonly onTraining?: (child: ChildProcess) => void;
}

/** Steps in metrics.jsonl. */
export function stepsIn(folder: string): number {
  const path = join(folder, "metrics.jsonl");
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

/** Every file that the training's numbers decide: the policies, and the metrics without their times. */
export function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    if (path === "metrics.jsonl") hash.update(path).update(withoutTimes(readFileSync(join(folder, path), "utf8")));
    else if (/^(sft|grpo)\/.+\.\w+$/.test(path)) hash.update(path).update(readFileSync(join(folder, path)));
  }
  return hash.digest("hex");
}

/** Lines of metrics without wall-clock times, which no two runs share. */
function withoutTimes(lines: string): string {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const metrics: Record<string, unknown> = JSON.parse(line);
      return JSON.stringify(Object.entries(metrics).filter(([key]) => !/^(time\/|step_time$)/.test(key)));
    })
    .join("\n");
}
