/**
 * The performance targets, against what a run measured. A target is checked only if the run measured it at full size;
 * ratios are those of interleaved repetitions.
 */
import type { Measurement, Report } from "./results";
import { figure, table } from "./tables";
import { PREPARED } from "./visit";

/** Layers of the nano decoder. */
const LAYERS = 4;

interface Target {
  readonly what: string;
  readonly bound: number;
  /** The measured number must be at least, or at most, the bound. */
  readonly direction: "least" | "most";
  readonly unit: string;
  /** Null if the run did not measure it. */
  readonly measured: (run: Run) => number | null;
}

type Run = Pick<Report, "measurements" | "quick"> & { readonly adapter: string };

export interface TargetResult {
  readonly what: string;
  readonly wanted: string;
  readonly measured: number;
  readonly met: boolean;
}

const of =
  (
    backend: Measurement["backend"],
    benchmark: Measurement["benchmark"],
    contender: string,
    get: (row: Measurement) => number | undefined,
  ) =>
  ({ measurements }: Run): number | null => {
    // The last workload is the largest.
    const row = measurements.findLast(
      (candidate) =>
        candidate.backend === backend && candidate.benchmark === benchmark && candidate.contender === contender,
    );
    return (row && get(row)) ?? null;
  };
const ratio = (row: Measurement): number | undefined => row.ratio;
const on =
  (adapter: RegExp, measured: Target["measured"]): Target["measured"] =>
  (run) =>
    adapter.test(run.adapter) ? measured(run) : null;
/** Tokens per response in a rollout's workload, from its title. */
const responseTokens = ({ workload }: Measurement): number => Number(/responses of (\d+)/.exec(workload)?.[1]);

/** Dispatches per decoded token of a member, without prompts: the difference of two lengths. */
function perToken({ measurements }: Run, member: string): number | null {
  const rows = measurements.filter(
    ({ backend, benchmark, contender, workload, counts }) =>
      backend === "webgpu" &&
      benchmark === "rollout" &&
      contender === "ours" &&
      counts?.dispatches !== undefined &&
      workload.startsWith(`growth: ${member}, 1 × 4 `),
  );
  const [short, long] = [...rows].sort((a, b) => responseTokens(a) - responseTokens(b));
  if (short === undefined || long === undefined) return null;
  return (
    ((long.counts?.dispatches ?? 0) - (short.counts?.dispatches ?? 0)) / (responseTokens(long) - responseTokens(short))
  );
}

/** Per layer: the difference of two depths. */
function perLayer(run: Run): number | null {
  const [nano, deep] = [perToken(run, "nano"), perToken(run, "twice nano's depth")];
  return nano === null || deep === null ? null : (deep - nano) / LAYERS;
}

const startsWithin = ({ measurements }: Run): number | null => {
  const first = measurements.find((row) => row.workload === PREPARED && row.contender === "cold");
  return first === undefined ? null : first.milliseconds.median / 1000;
};

const TARGETS: readonly Target[] = [
  {
    what: "WebGPU training step against stock TensorFlow.js, lavapipe",
    bound: 3,
    direction: "least",
    unit: "×",
    measured: on(/lavapipe/, of("webgpu", "train-step", "tfjs", ratio)),
  },
  {
    what: "WebGPU training step against stock TensorFlow.js, SwiftShader",
    bound: 5,
    direction: "least",
    unit: "×",
    measured: on(/SwiftShader/, of("webgpu", "train-step", "tfjs", ratio)),
  },
  {
    what: "WebGPU rollout against a stock TensorFlow.js decode loop",
    bound: 5,
    direction: "least",
    unit: "×",
    measured: of("webgpu", "rollout", "tfjs", ratio),
  },
  {
    what: "wasm rollout against a stock TensorFlow.js decode loop",
    bound: 5,
    direction: "least",
    unit: "×",
    measured: of("wasm", "rollout", "tfjs", ratio),
  },
  {
    what: "wasm training step against stock TensorFlow.js",
    bound: 12,
    direction: "least",
    unit: "×",
    measured: of("wasm", "train-step", "tfjs", ratio),
  },
  {
    what: "wasm training step against jax-js, one thread each",
    bound: 1.8,
    direction: "least",
    unit: "×",
    measured: of("wasm", "train-step", "jax-js", ratio),
  },
  {
    what: "two workers against one, wasm training step",
    bound: 1.7,
    direction: "least",
    unit: "×",
    measured: of("wasm", "train-step", "ours, 2 workers", (row) => row.ratio && 1 / row.ratio),
  },
  {
    what: "GRPO step on the wasm backend with two workers",
    bound: 2.5,
    direction: "most",
    unit: " s",
    measured: of("wasm", "grpo-step", "ours, 2 workers", (row) => row.milliseconds.median / 1000),
  },
  {
    what: "dispatches of a WebGPU training step",
    bound: 300,
    direction: "most",
    unit: "",
    measured: of("webgpu", "train-step", "ours", (row) => row.counts?.dispatches),
  },
  {
    what: "dispatches of a decoded token",
    bound: 45,
    direction: "most",
    unit: "",
    measured: (run) => perToken(run, "nano"),
  },
  { what: "dispatches of a decoded token and layer", bound: 9, direction: "most", unit: "", measured: perLayer },
  {
    what: "read-backs of a training step",
    bound: 1,
    direction: "most",
    unit: "",
    measured: of("webgpu", "train-step", "ours", (row) => row.counts?.readbacks),
  },
  {
    what: "read-backs of a rollout without done checks",
    bound: 1,
    direction: "most",
    unit: "",
    measured: of("webgpu", "rollout", "ours", (row) => row.counts?.readbacks),
  },
  {
    what: "host time a dispatch, replayed chain",
    bound: 10,
    direction: "most",
    unit: " µs",
    measured: of("webgpu", "dispatch", "ours", (row) => row.hostMicrosecondsPerDispatch),
  },
  {
    what: "host time a dispatch, WebGPU training step",
    bound: 10,
    direction: "most",
    unit: " µs",
    measured: of("webgpu", "train-step", "ours", (row) => row.hostMicrosecondsPerDispatch),
  },
  {
    what: "prepared group shown after a first page load",
    bound: 1.5,
    direction: "most",
    unit: " s",
    measured: startsWithin,
  },
  {
    what: "host time a dispatch, WebGPU rollout",
    bound: 10,
    direction: "most",
    unit: " µs",
    measured: of("webgpu", "rollout", "ours", (row) => row.hostMicrosecondsPerDispatch),
  },
];

/** The targets that this run can check. A quick run checks none: its sizes are not those of the targets. */
export function targetResults(run: Run): TargetResult[] {
  if (run.quick) return [];
  return TARGETS.flatMap(({ what, bound, direction, unit, measured }) => {
    const value = measured(run);
    if (value === null) return [];
    return [
      {
        what,
        wanted: `${direction === "least" ? "≥" : "≤"} ${bound}${unit}`,
        measured: value,
        met: direction === "least" ? value >= bound : value <= bound,
      },
    ];
  });
}

export function targetTable(results: readonly TargetResult[]): string {
  return table<TargetResult>(
    [
      { title: "target", text: ({ what }) => what, align: "left" },
      { title: "wanted", text: ({ wanted }) => wanted },
      { title: "measured", text: ({ measured }) => figure(measured) },
      { title: "met", text: ({ met }) => (met ? "yes" : "no"), align: "left" },
    ],
    results,
  );
}
