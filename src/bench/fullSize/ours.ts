/**
 * Our side of the full-size measurement: frozen weights packed, an adapter trained; samples and trains as `srpo train`
 * does.
 */

import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import type { EncodedPrompt } from "../../policy/layers/packing";
import { Policy, type RolloutRow } from "../../policy/policy";
import { openNodeBackend } from "../../runner/backend/nodeBackends";
import type { Backend, BackendName } from "../../tensor/backend";
import type { WeightFormat } from "../../tensor/packedWeight";
import { DisposalScope } from "../../training/disposalScope";
import type { TrainingRow } from "../../training/microBatch";
import { settingsObjective } from "../../training/objective";
import { responseLogprobs } from "../../training/optimiserStep";
import { defaultSettings } from "../../training/settings";
import { policyUpdate } from "../../training/update";
import type { FullSizeFigures, FullSizeWork } from "./work";

const OBJECTIVE = settingsObjective(defaultSettings);

/** @param onProgress receives progress messages */
export async function measureOurs(
  backendName: BackendName,
  packing: WeightFormat,
  work: FullSizeWork,
  onProgress: (what: string) => void,
): Promise<FullSizeFigures> {
  const backend = await openNodeBackend(backendName);
  try {
    onProgress("ours: loading");
    const { rank, alpha, targets } = work.lora;
    const policy = await Policy.load(backend, await openDirectory(work.folder), {
      frozenFormat: packing,
      lora: { rank, alpha, targets, rankStabilised: false, baseModel: work.folder },
      seed: 0,
    });
    try {
      return await new Measurement(backend, policy, packing, work, onProgress).figures();
    } finally {
      policy.dispose();
    }
  } finally {
    await backend.dispose();
  }
}

class Measurement {
  private readonly prompts: readonly EncodedPrompt[];
  private peakBytes = 0;
  private drawn = 0;
  private updates = 0;

  constructor(
    private readonly backend: Backend,
    private readonly policy: Policy,
    private readonly packing: WeightFormat,
    private readonly work: FullSizeWork,
    private readonly onProgress: (what: string) => void,
  ) {
    this.prompts = work.prompts.map((ids) => policy.model.encode(Int32Array.from(ids), []));
  }

  async figures(): Promise<FullSizeFigures> {
    const { batches, groupSize, newTokens } = this.work;
    const check = await this.check();
    const decode: FullSizeFigures["decode"] = [];
    for (const batch of batches) {
      this.onProgress(`ours: decoding ${batch} rows`);
      const sample = (tokens: number) =>
        this.repeated(() => this.rollout(this.prompts.slice(0, batch / groupSize), tokens));
      decode.push({ batch, first: await sample(1), all: await sample(newTokens) });
    }
    this.onProgress("ours: GRPO steps");
    return {
      engine: `SRPO Playground, frozen weights in ${this.packing}, ${this.backend.description.adapter}`,
      check,
      decode,
      step: await this.steps(),
      peakBytes: this.peakBytes,
    };
  }

  /** Mean log-probability of the checked response. */
  private async check(): Promise<number> {
    const [prompt] = this.prompts;
    if (prompt === undefined) throw new Error("There is no prompt.");
    const scope = new DisposalScope();
    try {
      const row: TrainingRow = { prompt, tokens: Int32Array.from(this.work.checked), weight: 1, advantage: 0 };
      const [values] = await this.backend.read(
        responseLogprobs(this.policy, [[row]], { temperature: 1, features: null }, scope),
      );
      const sum = Array.from(values ?? []).reduce((total, value) => total + value, 0);
      return sum / this.work.checked.length;
    } finally {
      scope.dispose();
    }
  }

  private async rollout(prompts: readonly EncodedPrompt[], maxNewTokens: number): Promise<RolloutRow[]> {
    const { rows } = await this.policy.generate(prompts, {
      groupSize: this.work.groupSize,
      temperature: 1,
      maxNewTokens,
      seed: 0,
      step: this.drawn++,
      stopTokens: [],
    });
    this.look();
    return rows;
  }

  /** Rollout and update of a step; half of each group gets a high reward, half a low one. */
  private async steps(): Promise<FullSizeFigures["step"]> {
    const { step, groupSize, repetitions } = this.work;
    const prompts = this.prompts.slice(0, step.prompts);
    const [rollout, update]: [number[], number[]] = [[], []];
    for (let i = 0; i <= repetitions; i++) {
      const began = performance.now();
      const sampled = await this.rollout(prompts, step.newTokens);
      const between = performance.now();
      const weight = 1 / (sampled.length * step.newTokens);
      const rows = sampled.map(
        ({ tokens }, row): TrainingRow => ({
          prompt: promptOf(prompts, Math.floor(row / groupSize)),
          tokens,
          weight,
          advantage: row % 2 === 0 ? 1 : -1,
        }),
      );
      await policyUpdate(this.policy, [rows], {
        objective: OBJECTIVE,
        epochs: 1,
        reference: null,
        temperature: 1,
        trainVision: false,
        features: null,
        learningRate: step.learningRate,
        weightDecay: 0,
        maxGradNorm: 1,
        microBatchRows: step.microBatchRows,
        updates: this.updates++,
      });
      this.look();
      if (i === 0) continue; // compiles the kernels for the others
      rollout.push(between - began);
      update.push(performance.now() - between);
    }
    return { rollout: some(rollout), update: some(update) };
  }

  private async repeated(work: () => Promise<unknown>): Promise<[number, ...number[]]> {
    const times: number[] = [];
    for (let i = 0; i <= this.work.repetitions; i++) {
      const began = performance.now();
      await work();
      if (i > 0) times.push(performance.now() - began);
    }
    return some(times);
  }

  /** The backend recycles memory and frees little, so what it holds after a phase is what the phase took. */
  private look(): void {
    this.peakBytes = Math.max(this.peakBytes, this.backend.memoryBytes());
  }
}

function promptOf(prompts: readonly EncodedPrompt[], index: number): EncodedPrompt {
  const prompt = prompts[index];
  if (prompt === undefined) throw new Error(`There is no prompt ${index}.`);
  return prompt;
}

function some(times: readonly number[]): [number, ...number[]] {
  const [first, ...rest] = times;
  if (first === undefined) throw new Error("Nothing was measured: repetitions must be positive.");
  return [first, ...rest];
}
