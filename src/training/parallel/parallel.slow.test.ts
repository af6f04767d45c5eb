/** Data parallelism changes nothing but the time: the same bits with any number of replicas, also when one dies. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../../policy/policy";
import { scoreResponse } from "../../srpo/score";
import { problemAt } from "../../tasks/problems";
import type { Backend } from "../../tensor/backend";
import { openReferenceBackend } from "../../tensor/reference/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { configure } from "../configure";
import { microBatches } from "../microBatch";
import { StepRefused } from "../optimiserStep";
import type { PhaseResult } from "../phaseResult";
import type { Stage } from "../records";
import { encodeProblem } from "../rollout";
import { Session } from "../session";
import { defaultSettings, type SettingsPatch } from "../settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "../snapshot";
import { teachFormat, tinyPolicy } from "../testing/tinyPolicy";
import { sftUpdate } from "../update";
import { DataParallel, deal } from "./parallel";
import {
  RemoteReplica,
  type ReplicaCarrier,
  type ReplicaReply,
  type ReplicaRequest,
  replicaSource,
  serveReplica,
} from "./replicaChannel";

const small: SettingsPatch = {
  maxNewTokens: 24,
  microBatchRows: 3,
  sft: { examples: 8, batchSize: 6, steps: 6 },
  grpo: { prompts: 3, groupSize: 3 },
};
/** Rewards that differ between the samples of a policy that can do nothing yet. */
const byLength: typeof scoreResponse = (text, ...rest) => {
  const result = scoreResponse(text, ...rest);
  const right = { firstRight: text.length % 2 === 0, refinedRight: text.length % 3 !== 0 };
  return { ...result, ...right, terms: { ...result.terms, total: text.length / 100 } };
};

/** Everything that carries something within a step, or from step to step. */
const MECHANISMS: SettingsPatch = {
  grpo: {
    onlineFilter: "mixed",
    refills: 2,
    updatesPerRollout: 2,
    beta: 0.05,
    klPlacement: "reward",
    advantage: "whitened",
    replay: { episode: 3, alpha: 1 },
    rethinking: { fraction: 0.8, trigger: null, perGroup: 2, maxTokens: 8, weight: 0.05 },
    failures: { share: 0.4, capacity: 20, maxAge: 5, minimum: 1, wrongShare: 0.9, perGroup: 2 },
  },
};

let backend: Backend;
/** Where replicas live. */
let elsewhere: Backend;
let taught: Float32Array;
beforeAll(async () => {
  [backend, elsewhere] = [await openWasmBackend(), await openWasmBackend()];
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  taught = (await policy.parameters.state()).theta;
  policy.dispose();
});
afterAll(() => Promise.all([backend.dispose(), elsewhere.dispose()]));

/**
 * A carrier without threads: messages are copied and delivered later, as a thread's would be. `kill` ends it as a crash
 * does.
 */
function loopback(): { readonly carrier: ReplicaCarrier; readonly kill: () => void } {
  let dead: (error: Error) => void = () => undefined;
  let alive = true;
  let hear: (request: ReplicaRequest) => void = () => undefined;
  let reply: (reply: ReplicaReply) => void = () => undefined;
  const later = <M>(to: () => (message: M) => void, message: M): void => {
    const copy = structuredClone(message);
    setTimeout(() => {
      if (alive) to()(copy);
    }, 0);
  };
  serveReplica(
    {
      post: (message) => later(() => reply, message),
      listen: (receive) => {
        hear = receive;
      },
    },
    () => Promise.resolve(elsewhere),
  );
  return {
    carrier: {
      port: {
        post: (message) => later(() => hear, message),
        listen: (receive) => {
          reply = receive;
        },
      },
      onDeath: (report) => {
        dead = report;
      },
      terminate: () => Promise.resolve(),
    },
    kill: () => {
      alive = false;
      dead(new Error("the thread was killed."));
    },
  };
}

async function freshPolicy(): Promise<Policy> {
  const policy = await tinyPolicy(backend);
  policy.parameters.restore({ theta: taught, m: new Float32Array(taught.length), v: new Float32Array(taught.length) });
  return policy;
}

interface Team {
  readonly policy: Policy;
  readonly parallel: DataParallel;
  readonly kill: () => void;
  readonly lost: string[];
}

async function team(replicas: number): Promise<Team> {
  const policy = await freshPolicy();
  const source = await replicaSource(policy, "language");
  const loops = Array.from({ length: replicas }, () => loopback());
  const lost: string[] = [];
  const remote = await Promise.all(loops.map(({ carrier }) => RemoteReplica.open(carrier, source)));
  const parallel = new DataParallel(policy, remote, { onLost: (message) => lost.push(message) });
  return { policy, parallel, kill: () => loops[0]?.kill(), lost };
}

interface Outcome {
  readonly results: PhaseResult[];
  readonly end: Snapshot;
}

/** `phases` phases of a stage. @param before called before each */
async function train(
  { policy, parallel }: Team,
  stage: Stage,
  patch: SettingsPatch,
  phases: number,
  before: (phase: number) => void = () => undefined,
): Promise<Outcome> {
  const session = new Session(policy, configure(configure(defaultSettings, small), patch), {
    stage,
    scorer: byLength,
    now: () => 0,
    parallel,
  });
  const results: PhaseResult[] = [];
  for (let i = 0; i < phases; i++) {
    before(i);
    results.push(await session.phase());
  }
  const end = await session.snapshot();
  session.dispose();
  await parallel.dispose();
  policy.dispose();
  return { results, end };
}

function expectSame(a: Outcome, b: Outcome): void {
  expect(a.results).toEqual(b.results);
  expect(a.end.state).toEqual(b.end.state);
  for (const key of ["theta", "m", "v"] as const) {
    expect(
      Buffer.compare(Buffer.from(a.end.parameters[key].buffer), Buffer.from(b.end.parameters[key].buffer)),
      `${key} differs`,
    ).toBe(0);
  }
}

describe("the same bits with one, two and three workers", () => {
  test.each<[string, Stage, SettingsPatch, number]>([
    ["GRPO", "grpo", {}, 8],
    ["GRPO with inner epochs and a KL term", "grpo", { grpo: { epochs: 2, beta: 0.05 } }, 8],
    ["GRPO with refills, replay, rethinking, a failure buffer and a KL penalty on the rewards", "grpo", MECHANISMS, 12],
    ["reflection SFT", "sft", {}, 5],
  ])("%s", async (_what, stage, patch, phases) => {
    const alone = await train(await team(0), stage, patch, phases);
    expect(alone.results.some(({ kind }) => kind === "stepped")).toBe(true);
    for (const replicas of [1, 2]) expectSame(await train(await team(replicas), stage, patch, phases), alone);
  });

  test("a step that began alone goes on with two", async () => {
    const phases = 12;
    const { policy, parallel } = await team(0);
    const settings = configure(configure(defaultSettings, small), MECHANISMS);
    const options = { stage: "grpo", scorer: byLength, now: () => 0 } as const;
    const session = new Session(policy, settings, { ...options, parallel });
    const [results, snapshots]: [PhaseResult[], Snapshot[]] = [[], []];
    for (let i = 0; i < phases; i++) {
      snapshots.push(decodeSnapshot(encodeSnapshot(await session.snapshot())));
      results.push(await session.phase());
    }
    const end = await session.snapshot();
    session.dispose();
    policy.dispose();
    for (const begin of [5, 6, 7, 9, 11]) {
      const two = await team(1);
      const resumed = new Session(two.policy, settings, { ...options, parallel: two.parallel });
      const snapshot = snapshots[begin];
      if (snapshot === undefined) throw new Error(`there is no phase ${begin}`);
      await resumed.restore(snapshot);
      const rest: PhaseResult[] = [];
      for (let i = begin; i < phases; i++) rest.push(await resumed.phase());
      expectSame({ results: rest, end: await resumed.snapshot() }, { results: results.slice(begin), end });
      resumed.dispose();
      await two.parallel.dispose();
      two.policy.dispose();
    }
  });

  test("a replica that dies between or within phases costs nothing, and is reported", async () => {
    const alone = await train(await team(0), "grpo", {}, 8);
    for (const phase of [0, 3, 7]) {
      const two = await team(1);
      expectSame(
        await train(two, "grpo", {}, 8, (i) => {
          if (i === phase) setTimeout(two.kill, 0);
        }),
        alone,
      );
      expect(two.lost).toHaveLength(1);
      expect(two.lost[0]).toMatch(/killed.*with one worker/);
      expect(two.parallel.workers).toBe(1);
    }
  });
});

test("the rollout is that of the policy alone", async () => {
  const { policy, parallel } = await team(2);
  const prompts = Array.from({ length: 5 }, (_, i) => encodeProblem(policy, problemAt("train", i)));
  const options = { groupSize: 2, temperature: 1, maxNewTokens: 16, seed: 3, step: 4 };
  expect(await parallel.rollout(prompts, options, null)).toEqual((await policy.generate(prompts, options)).rows);
  await parallel.dispose();
  policy.dispose();
});

test.each([
  ["wasm", openWasmBackend],
  ["reference", openReferenceBackend],
] as const)("the gradient is that of the plain step but for rounding, on the %s backend", async (_name, open) => {
  const own = await open();
  const [plain, summed] = [await tinyPolicy(own, "all"), await tinyPolicy(own, "all")];
  const rows = Array.from({ length: 4 }, (_, i) => ({
    prompt: encodeProblem(plain, problemAt("train", i)),
    tokens: Int32Array.of(9, 8, 12 + i),
    weight: 1 / 12,
    advantage: 1,
  }));
  const options = {
    temperature: 1,
    trainVision: true,
    features: null,
    learningRate: 1e-3,
    weightDecay: 0,
    maxGradNorm: 1,
    updates: 0,
    microBatchRows: 2,
  };
  const a = await sftUpdate(plain, rows, options);
  const b = await sftUpdate(summed, rows, { ...options, parallel: new DataParallel(summed, []) });
  expect(b.gradNorm).toBeCloseTo(a.gradNorm, 5);
  expect(b.loss).toBeCloseTo(a.loss, 5);
  const [x, y] = [await plain.parameters.readFlat("grad"), await summed.parameters.readFlat("grad")];
  expect(Math.max(...x.map((value, i) => Math.abs(value - (y[i] ?? NaN))))).toBeLessThan(1e-6);
  await own.dispose();
});

test("a gradient that is not finite, wherever it was made, refuses the step and keeps the weights", async () => {
  const { policy, parallel } = await team(1);
  const rows = [1, NaN].map((weight, i) => ({
    prompt: encodeProblem(policy, problemAt("train", i)),
    tokens: Int32Array.of(9, 8, 12),
    weight,
    advantage: 1,
  }));
  const step = sftUpdate(policy, rows, {
    temperature: 1,
    trainVision: false,
    features: null,
    learningRate: 1e-3,
    weightDecay: 0,
    maxGradNorm: 1,
    updates: 0,
    microBatchRows: 1,
    parallel,
  });
  await expect(step).rejects.toThrow(StepRefused);
  expect(Buffer.compare(Buffer.from((await policy.parameters.state()).theta.buffer), Buffer.from(taught.buffer))).toBe(
    0,
  );
  await parallel.dispose();
  policy.dispose();
});

test("micro-batches are of about as many tokens each, and an even number", () => {
  const prompt = { ids: Int32Array.of(1, 2), images: [], positions: { positions: new Int32Array(6), delta: 0 } };
  const cut = (lengths: readonly number[], size: number): number[][] =>
    microBatches(
      lengths.map((length) => ({ prompt, tokens: new Int32Array(length), weight: 1, advantage: 1 })),
      size,
    ).map((batch) => batch.map(({ tokens }) => tokens.length));
  expect(cut([5, 5, 5], 3)).toEqual([[5, 5, 5]]);
  expect(cut([9, 1, 1, 1, 1, 1, 9, 1], 5)).toEqual([
    [9, 1, 1, 1],
    [1, 1, 9, 1],
  ]);
  expect(cut([3, 3, 3, 3, 3, 3, 3], 3)).toEqual([[3, 3], [3, 3], [3], [3, 3]]);
  expect(
    cut(
      Array.from({ length: 100 }, () => 7),
      32,
    ).map((batch) => batch.length),
  ).toEqual([25, 25, 25, 25]);
  expect(cut([1, 1, 1, 1, 90, 90], 3)).toEqual([
    [1, 1, 1],
    [1, 90, 90],
  ]);
  expect(cut([], 3)).toEqual([]);
});

test("jobs are dealt by cost, the longest first", () => {
  expect(deal([5, 5, 5, 5], 2)).toEqual([0, 1, 0, 1]);
  expect(deal([2, 9, 3, 4], 2)).toEqual([1, 0, 1, 1]);
  expect(deal([1], 3)).toEqual([0]);
});
