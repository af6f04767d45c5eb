/**
 * `npm run bench:large`: a full-size checkpoint on this machine, software adapter or GPU: loading, one prompt with a
 * picture, a few greedy tokens, one LoRA step of SFT. Prints one JSON object: seconds of each, memory of the device and
 * of the host.
 *
 * Host memory is resident memory beyond that of the idle process (backend and adapter open, nothing loaded), minus what
 * the device holds: a software adapter keeps its buffers in this process. It is measured twice:
 *  - streaming: the loader alone, its packed pieces counted and dropped, so there is no device in the process at all;
 *  - loading: the whole load onto the backend.
 */
import { writeFileSync } from "node:fs";
import { Checkpoint } from "../policy/checkpoint/checkpoint";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { LORA_TARGETS, type LoraOptions } from "../policy/layers/lora";
import { loadWeights } from "../policy/loadWeights";
import { Policy, type RgbImage } from "../policy/policy";
import type { Flags } from "../runner/arguments/flags";
import { runScript } from "../runner/arguments/script";
import type { Arguments } from "../runner/arguments/usage";
import { openNodeBackend } from "../runner/backend/nodeBackends";
import { BACKEND_NAMES, type Backend } from "../tensor/backend";
import { fitsFormat, packRows, WEIGHT_FORMATS, type WeightFormat } from "../tensor/packedWeight";
import { sftUpdate } from "../training/update";

const FLAGS: Flags = {
  policy: { type: "string", default: "runs/3b", valueHint: "dir", description: "Checkpoint folder (see srpo synth)" },
  backend: {
    type: "string",
    default: "webgpu",
    valueHint: BACKEND_NAMES.join("|"),
    description: "Backend to load it on",
  },
  packing: {
    type: "string",
    default: "f16",
    valueHint: WEIGHT_FORMATS.join("|"),
    description: "Storage of the weights",
  },
  picture: { type: "string", default: "56", valueHint: "n", description: "Side of the prompt's picture in pixels" },
  tokens: { type: "string", default: "4", valueHint: "n", description: "Tokens to sample" },
  rank: { type: "string", default: "16", valueHint: "n", description: "Rank of the LoRA adapter" },
  noRecompute: { type: "boolean", description: "Keep all activations instead of recomputing layers" },
  bare: {
    type: "boolean",
    description: "Prompt without the chat template, for adapters on which each token takes minutes",
  },
  noModel: { type: "boolean", description: "Only stream the weights: load and run nothing" },
  json: { type: "string", valueHint: "file", description: "Also write the report to this file" },
};
const MB = 1e6;

/** Highest resident memory while `work` runs, minus `besides` (what is known not to be host memory) at that moment. */
async function highest<T>(
  work: (look: () => void) => Promise<T>,
  besides: () => number,
): Promise<{ readonly bytes: number; readonly result: T }> {
  let bytes = 0;
  const look = (): void => {
    bytes = Math.max(bytes, process.memoryUsage.rss() - besides());
  };
  const timer = setInterval(look, 50);
  try {
    const result = await work(look);
    look();
    return { bytes, result };
  } finally {
    clearInterval(timer);
  }
}

async function seconds<T>(what: string, work: () => Promise<T>): Promise<[number, T]> {
  const began = performance.now();
  const result = await work();
  const taken = (performance.now() - began) / 1000;
  process.stderr.write(`${what}: ${taken.toFixed(1)} s, resident ${(process.memoryUsage.rss() / MB).toFixed(0)} MB\n`);
  return [taken, result];
}

/** Packs the pieces as a weight would be packed, then drops them. → bytes that a device would have received */
async function streamed(
  checkpoint: Checkpoint,
  backend: Backend,
  packing: WeightFormat,
  look: () => void,
): Promise<number> {
  let bytes = 0;
  await loadWeights(
    {
      backend,
      writeRows: (name, _firstRow, rows) => {
        const columns = checkpoint
          .entry(name)
          .shape.slice(1)
          .reduce((product, n) => product * n, 1);
        if (packing === "f32" || checkpoint.entry(name).shape.length < 2 || !fitsFormat(columns, packing))
          bytes += rows.byteLength;
        else {
          const { packed, scales } = packRows(rows, columns, packing);
          bytes += packed.byteLength + (scales?.byteLength ?? 0);
        }
        look();
      },
    },
    checkpoint,
  );
  return bytes;
}

/** A picture that is not uniform: two ramps and a wave. */
function picture(side: number): RgbImage {
  const pixels = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      pixels.set([(255 * x) / side, (255 * y) / side, 127 + 120 * Math.sin(x / 5)], 3 * (y * side + x));
  return { width: side, height: side, pixels };
}

/** The picture with the tokens that begin and end it, and four letters after them. */
function bare(ids: Int32Array, imageToken: number): Int32Array {
  return ids.slice(ids.indexOf(imageToken) - 1, ids.lastIndexOf(imageToken) + 6);
}

async function measure(args: Arguments): Promise<number> {
  const folder = args.text("policy");
  const packing = args.oneOf("packing", WEIGHT_FORMATS);
  const [side, tokens] = [args.integer("picture", 1), args.integer("tokens", 1)];
  const recompute = !args.boolean("noRecompute");
  const lora: LoraOptions = {
    rank: args.integer("rank", 1),
    alpha: 32,
    rankStabilised: false,
    targets: LORA_TARGETS,
    baseModel: folder,
  };
  const files = await openDirectory(folder);
  const backend = await openNodeBackend(args.oneOf("backend", BACKEND_NAMES));
  const idle = process.memoryUsage.rss();

  const checkpoint = await Checkpoint.open(files);
  const [streamingSeconds, streaming] = await seconds("streamed", () =>
    highest(
      (look) => streamed(checkpoint, backend, packing, look),
      () => idle,
    ),
  );
  const report: Record<string, unknown> = {
    policy: folder,
    adapter: `${backend.description.name}: ${backend.description.adapter}`,
    packing,
    bytesOnDisk: checkpoint.bytes(),
    idleMB: idle / MB,
    streaming: { seconds: streamingSeconds, packedBytes: streaming.result, hostMB: streaming.bytes / MB },
  };

  if (!args.boolean("noModel")) {
    // Zeroed buffers become resident with the first submit: until then the device holds less than it reports, and the
    // host figure is too low.
    const [loadSeconds, loading] = await seconds("loaded", () =>
      highest(
        (look) =>
          Policy.load(backend, files, {
            lora,
            seed: 0,
            frozenFormat: packing,
            recompute,
            onLoaded: look,
          }),
        () => idle + backend.memoryBytes(),
      ),
    );
    const policy = loading.result;
    const deviceMB = backend.memoryBytes() / MB;
    report.loading = {
      seconds: loadSeconds,
      deviceMB,
      hostMB: loading.bytes / MB,
      hostAfterMB: (process.memoryUsage.rss() - idle) / MB - deviceMB,
    };

    const whole = policy.encodePrompt("What is shown?", picture(side));
    const prompt = args.boolean("bare")
      ? policy.model.encode(bare(whole.ids, policy.config.imageTokenId), whole.images)
      : whole;
    const [featureSeconds, features] = await seconds("picture", async () => {
      const bank = policy.featureBank([prompt]);
      if (bank !== null) await backend.read([bank.tensor]);
      return bank;
    });
    const at: number[] = [];
    const [sampleSeconds, rollout] = await seconds("sampled", () =>
      policy.generate(
        [prompt],
        {
          groupSize: 1,
          temperature: 1,
          greedy: true,
          maxNewTokens: tokens,
          seed: 0,
          step: 0,
          stopTokens: [],
          onToken: () => void at.push(performance.now()),
        },
        features,
      ),
    );
    const sampled = rollout.rows[0];
    if (sampled === undefined || sampled.tokens.length !== tokens)
      throw new Error(`largeLoad: asked for ${tokens} tokens, sampled ${sampled?.tokens.length ?? 0}.`);
    report.sampling = {
      promptTokens: prompt.ids.length,
      pictureTokens: features?.tensor.shape[0] ?? 0,
      pictureSeconds: featureSeconds,
      seconds: sampleSeconds,
      secondsOfLaterToken: at.length > 1 ? ((at.at(-1) ?? 0) - (at[0] ?? 0)) / 1000 / (at.length - 1) : null,
      tokens: [...sampled.tokens],
      logprobs: [...sampled.logprobs],
    };

    const row = { prompt, tokens: sampled.tokens, weight: 1 / tokens, advantage: 1 };
    const step = (updates: number) =>
      sftUpdate(policy, [row], {
        temperature: 1,
        trainVision: false,
        features,
        learningRate: 1e-3,
        weightDecay: 0,
        maxGradNorm: 1,
        microBatchRows: 1,
        updates,
      });
    const beforeStep = backend.memoryBytes() / MB;
    const [stepSeconds, update] = await seconds("LoRA step", () => step(0));
    const expected = -sampled.logprobs.reduce((sum, value) => sum + value, 0) / tokens;
    report.loraStep = {
      trainable: policy.parameters.trainableCount,
      recompute,
      seconds: stepSeconds,
      loss: update.loss,
      lossOfSampling: expected,
      gradNorm: update.gradNorm,
      deviceMBBefore: beforeStep,
      deviceMB: backend.memoryBytes() / MB,
      hostMB: (process.memoryUsage.rss() - idle - backend.memoryBytes()) / MB,
    };
    features?.dispose();
    policy.dispose();
  }
  await backend.dispose();
  const text = JSON.stringify(report, null, 1);
  const json = args.optional("json");
  if (json !== null) writeFileSync(json, `${text}\n`);
  console.log(text);
  return 0;
}

await runScript({
  name: "bench:large",
  description: "Load a full-size checkpoint, sample from it and take one LoRA step; prints seconds and memory as JSON.",
  flags: FLAGS,
  examples: [
    "npm run srpo -- synth --shape 3b --out runs/3b",
    "npm run bench:large -- --policy runs/3b --packing int4",
  ],
  run: measure,
});
