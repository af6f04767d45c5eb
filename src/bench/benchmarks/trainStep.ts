/**
 * One step of supervised training on the nano policy's decoder: forward, backward, clip by global norm, AdamW. Our side
 * packs and uploads the batch in every step, as the session does; the peers' inputs are already on the device. The wasm
 * backend also takes the step with two workers; then both of ours use micro-batches of half the rows. Growth with
 * sequence length and model size is measured for our side alone. A matmul of 1024³ in the same run is the yardstick for
 * arithmetic.
 */
import { type Benchmark, compareAll, each, type Runner, type Workload } from "../benchmark";
import { AS_IN_TRAINING } from "../comparison";
import type { DecoderShape, Job } from "../job";
import { figure } from "../tables";
import { largeShape, nanoShape, trainingFlops } from "../workload";
import { PEAK_MATMUL, rateOf } from "./kernels";

const LENGTH = 64;
/** Growth is measured with this many sequences. */
const GROWTH_ROWS = 8;

export const trainStep: Benchmark = {
  name: "train-step",
  description: "forward, backward, clip and AdamW on the nano decoder, and how it grows with length and width",
  async run(setting) {
    const nano = await nanoShape();
    const shared = setting.backend === "wasm";
    const compared = (rows: number, name = "nano", shape = nano): Workload => {
      const job: Job = {
        kind: "train",
        shape,
        rows,
        length: LENGTH,
        microBatchRows: shared ? rows / 2 : rows,
        workers: 1,
      };
      const two: Runner = { name: "ours, 2 workers", library: "ours", job: { ...job, workers: 2 } };
      return {
        title: `${name}, ${rows} × ${LENGTH} tokens`,
        rate: { perUnit: rows * LENGTH, unit: "tokens/s" },
        runners: [...each(job, ["ours"]), ...(shared ? [two] : []), ...each(job, ["tfjs", "jax-js"])],
      };
    };
    const grown = (name: string, shape: DecoderShape, length: number): Workload => ({
      title: `growth: ${name}, ${GROWTH_ROWS} × ${length} tokens`,
      rate: { perUnit: GROWTH_ROWS * length, unit: "tokens/s" },
      runners: each({ kind: "train", shape, rows: GROWTH_ROWS, length, microBatchRows: GROWTH_ROWS, workers: 1 }, [
        "ours",
      ]),
    });
    const growth = [
      ...[32, 64, 128, 256].map((length) => grown("nano", nano, length)),
      grown(
        "half as wide",
        { ...nano, hidden: nano.hidden / 2, intermediate: nano.intermediate / 2, heads: nano.heads / 2 },
        LENGTH,
      ),
      grown("twice as deep", { ...nano, layers: 2 * nano.layers }, LENGTH),
      grown(
        "twice as wide",
        { ...nano, hidden: 2 * nano.hidden, intermediate: 2 * nano.intermediate, heads: 2 * nano.heads },
        LENGTH,
      ),
    ];
    // The last workload is the one with targets.
    const workloads = setting.quick || setting.small ? [compared(8)] : [...growth, compared(8), compared(32)];
    const large = await largeShape();
    const all = [...(setting.large ? [compared(8, "twenty times nano", large)] : []), ...workloads];
    const outcome = await compareAll("train-step", setting, [PEAK_MATMUL, ...all], {
      repetitions: setting.quick ? 3 : 5,
      ...(setting.quick ? { repetitionMs: 0, maxUnits: 1, warmUpMs: 0 } : AS_IN_TRAINING),
      tolerance: 1e-3,
    });
    const peak = rateOf(outcome.measurements, PEAK_MATMUL.title);
    const notes = outcome.measurements
      .filter(({ contender, workload }) => contender === "ours" && all.some(({ title }) => title === workload))
      .flatMap(({ workload, milliseconds }) => {
        const job = all.find(({ title }) => title === workload)?.runners[0]?.job;
        if (job?.kind !== "train") return [];
        const operations = trainingFlops(job.shape, job.rows, job.length) / 1e9;
        const rate = (1000 * operations) / milliseconds.median;
        return [
          `${workload}: ${figure(operations)} GFLOP a step, ${figure(rate)} GFLOP/s, ` +
            `${figure((100 * rate) / peak)} % of the matmul of 1024³.`,
        ];
      });
    return { ...outcome, notes };
  },
};
