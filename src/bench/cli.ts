/**
 * `npm run bench`: measures us and our peers side by side, prints one table per benchmark and writes JSON. Exit codes:
 * 0 done, 1 failed, 2 bad input (one line on stderr says what).
 */
import { writeFileSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { reportFailure } from "../runner/arguments/failure";
import { benchArguments, help } from "./arguments";
import type { Benchmark, Outcome } from "./benchmark";
import { dispatch } from "./benchmarks/dispatch";
import { fullSize } from "./benchmarks/fullSize";
import { grpoStep } from "./benchmarks/grpoStep";
import { kernels } from "./benchmarks/kernels";
import { matmul } from "./benchmarks/matmul";
import { rollout } from "./benchmarks/rollout";
import { startup } from "./benchmarks/startup";
import { trainStep } from "./benchmarks/trainStep";
import { section } from "./report";
import { type Absent, type BenchmarkName, type Measurement, reportSchema } from "./results";
import { targetResults, targetTable } from "./targets";

const ALL: Readonly<Record<BenchmarkName, Benchmark>> = {
  matmul,
  kernels,
  dispatch,
  "train-step": trainStep,
  rollout,
  "grpo-step": grpoStep,
  startup,
  "full-size": fullSize,
};

/** → exit code */
async function main(rawArgs: readonly string[]): Promise<number> {
  if (rawArgs.includes("--help") || rawArgs.includes("-h")) {
    process.stdout.write(help(Object.values(ALL)));
    return 0;
  }
  const { names, backend, json, quick, small, large, fullSize: fullSizeSetting } = benchArguments(rawArgs);
  const measurements: Measurement[] = [];
  const absent: Absent[] = [];
  const adapters: Record<string, string> = {};
  const began = performance.now();
  const onProgress = (what: string): void => {
    const line = `${Math.round((performance.now() - began) / 1000)} s  ${what} …`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  };
  let failed = false;
  for (const name of names) {
    const outcome = await ALL[name]
      .run({ backend, quick, small, large, onProgress, fullSize: fullSizeSetting })
      .catch((error: unknown): Outcome => {
        // Keep the other benchmarks' results.
        failed = true;
        return {
          measurements: [],
          absent: [{ benchmark: name, backend, workload: "all", contender: "ours", why: message(error) }],
          adapters: {},
          notes: [],
        };
      });
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    measurements.push(...outcome.measurements);
    absent.push(...outcome.absent);
    Object.assign(adapters, outcome.adapters);
    console.log(
      section(
        name,
        backend,
        outcome.adapters.ours ?? Object.values(outcome.adapters)[0] ?? "",
        outcome.measurements,
        outcome.absent,
        outcome.notes,
      ),
    );
  }
  const targets = targetResults({ measurements, quick, adapter: adapters.ours ?? "" });
  if (targets.length > 0) console.log(`## Targets\n\n${targetTable(targets)}\n`);
  if (json !== null) {
    const machine = {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      platform: `${platform()} ${release()} ${arch()}`,
      node: process.versions.node,
      adapters,
    };
    const report = reportSchema.parse({
      version: 1,
      date: new Date().toISOString(),
      quick,
      machine,
      measurements,
      absent,
    });
    writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
  }
  return failed ? 1 : 0;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => reportFailure("bench", error));
