/** `inspect`: a checkpoint's architecture and the memory it needs on this machine; reads headers, loads no weights. */
import { Checkpoint } from "../../policy/checkpoint/checkpoint";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import type { PolicyConfig } from "../../policy/checkpoint/config";
import { CACHE_FORMATS } from "../../policy/generation/groupCache";
import { LORA_TARGETS } from "../../policy/layers/lora";
import { type MemoryPlan, type PlanOptions, planMemory } from "../../policy/memoryPlan";
import { BACKEND_NAMES } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import type { AdapterLimits } from "../../tensor/webgpu/device";
import { byteCount, readableBytes } from "../arguments/bytes";
import { backendFlag, packingFlag, type RunnerCommand } from "../arguments/command";
import { backendLimits } from "../backend/nodeBackends";
import { asInput } from "../backend/openPolicy";
import { KEPT_ACTIVATION_BYTES } from "../run/deviceMemory";

const TRAIN = ["lora", "language", "all", "none"] as const;

export const inspectCommand: RunnerCommand = {
  description: "Show a checkpoint's architecture and memory plan, from its headers; exit 1 if it does not fit",
  flags: {
    dir: { type: "positional", required: true, description: "Checkpoint folder" },
    packing: { ...packingFlag, default: "f16" },
    train: { type: "string", default: "lora", valueHint: TRAIN.join("|"), description: "Weights to train" },
    rank: {
      type: "string",
      default: "16",
      valueHint: "n",
      description: "LoRA rank, on all linear layers of the decoder",
    },
    group: { type: "string", default: "8", valueHint: "n", description: "Responses per prompt" },
    prompts: { type: "string", default: "1", valueHint: "n", description: "Prompts per step" },
    slots: {
      type: "string",
      valueHint: "n",
      description: "Responses generated at a time (default: as many as fit a 2 GiB KV cache)",
    },
    cache: {
      type: "string",
      valueHint: CACHE_FORMATS.join("|"),
      description: "Number format of the KV cache (default: f16 with packed weights, else f32)",
    },
    prompt: { type: "string", default: "700", valueHint: "n", description: "Prompt tokens, including the image's" },
    image: { type: "string", valueHint: "n", description: "Image tokens among them (default: all)" },
    completion: { type: "string", default: "1024", valueHint: "n", description: "Response tokens" },
    microBatch: { type: "string", default: "1", valueHint: "n", description: "Responses per micro-batch of an update" },
    memory: { type: "string", valueHint: "24GB", description: "Memory of the device; checks that the plan fits" },
    backend: { ...backendFlag, default: "webgpu" },
    kl: { type: "boolean", description: "Train with a KL term; without LoRA it needs a frozen copy of the policy" },
    json: { type: "boolean", description: "Print one JSON object" },
  },
  examples: [
    "npm run srpo -- inspect public/policies/base",
    "npm run srpo -- inspect runs/3b --packing int4 --memory 24GB",
  ],
  async run(args) {
    const directory = args.text("dir");
    const checkpoint = await asInput(
      directory,
      openDirectory(directory).then((files) => Checkpoint.open(files)),
    );
    const train = args.oneOf("train", TRAIN);
    const backend = args.oneOf("backend", BACKEND_NAMES);
    const prompt = args.integer("prompt", 1);
    const options: PlanOptions = {
      trainable: train === "lora" ? "none" : train,
      frozenFormat: args.oneOf("packing", WEIGHT_FORMATS),
      lora:
        train === "lora"
          ? { rank: args.integer("rank", 1), alpha: 32, rankStabilised: false, targets: LORA_TARGETS, baseModel: null }
          : null,
      groupSize: args.integer("group", 1),
      prompts: args.integer("prompts", 1),
      slots: args.optional("slots") === null ? null : args.integer("slots", 1),
      cache: args.optional("cache") === null ? null : args.oneOf("cache", CACHE_FORMATS),
      records: backend === "webgpu",
      promptTokens: prompt,
      imageTokens: args.optional("image") === null ? prompt : args.integer("image", 0),
      completionTokens: args.integer("completion", 1),
      microBatch: args.integer("microBatch", 1),
      kl: args.boolean("kl"),
    };
    const memory = args.optional("memory");
    const available = memory === null ? null : byteCount("memory", memory);
    const plan = planMemory(checkpoint.config, options);
    const limits = await backendLimits(backend);
    const needed = plan.activations > KEPT_ACTIVATION_BYTES ? plan.peakRecomputed : plan.peak; // as train decides
    const fits =
      Math.max(plan.largestWeight.bytes, 4 * plan.trained) <= limits.bufferBytes &&
      (available === null || needed <= available);
    const report = {
      directory,
      config: checkpoint.config,
      parametersOnDisk: elements(checkpoint),
      bytesOnDisk: checkpoint.bytes(),
      numberFormats: numberFormats(checkpoint),
      options,
      plan,
      needed,
      limits,
      available,
      fits,
    };
    process.stdout.write(args.boolean("json") ? `${JSON.stringify(report)}\n` : text(report));
    return fits ? 0 : 1;
  },
};

interface Report {
  readonly directory: string;
  readonly config: PolicyConfig;
  readonly parametersOnDisk: number;
  readonly bytesOnDisk: number;
  readonly numberFormats: readonly string[];
  readonly options: PlanOptions;
  readonly plan: MemoryPlan;
  /** Peak bytes, with recomputed layers where train would recompute them. */
  readonly needed: number;
  readonly limits: AdapterLimits;
  readonly available: number | null;
  readonly fits: boolean;
}

function elements(checkpoint: Checkpoint): number {
  return checkpoint
    .names()
    .reduce((sum, name) => sum + checkpoint.entry(name).shape.reduce((product, n) => product * n, 1), 0);
}

function numberFormats(checkpoint: Checkpoint): string[] {
  return [...new Set(checkpoint.names().map((name) => checkpoint.entry(name).dtype))];
}

function text({
  directory,
  config: { text: t, vision: v },
  parametersOnDisk,
  bytesOnDisk,
  numberFormats: formats,
  options,
  plan,
  needed,
  limits,
  available,
  fits,
}: Report): string {
  const { completionTokens, microBatch, frozenFormat } = options;
  const size = (bytes: number): string => readableBytes(bytes).padStart(10);
  const blocks = Math.ceil(plan.largestWeight.bytes / limits.bindingBytes);
  const training = plan.trained > 0;
  const lines = [
    `${directory}: Qwen2.5-VL, ${count(parametersOnDisk)} parameters, ${readableBytes(bytesOnDisk)} ` +
      `in ${formats.join(" and ")}`,
    `  decoder  ${t.layers} layers × ${t.hiddenSize}, ${t.heads} heads (${t.kvHeads} key/value) of ${t.headDim}, ` +
      `MLP ${t.intermediateSize}, vocabulary ${t.vocabSize}${t.tieWordEmbeddings ? ", head tied" : ""}`,
    `  tower    ${v.depth} blocks × ${v.hiddenSize}, ${v.heads} heads, MLP ${v.intermediateSize}, ` +
      `patches of ${v.patchSize} px, windows of ${v.windowSize} px`,
    `memory plan on ${limits.adapter}`,
    `  ${size(plan.frozenWeights)}  frozen weights in ${frozenFormat ?? "f32"}`,
    ...(training
      ? [`  ${size(plan.trainedState)}  ${count(plan.trained)} trained values, their gradient and moments`]
      : []),
    `  ${size(plan.kvCache)}  KV cache in ${plan.cacheFormat}, ${count(plan.kvCacheOfToken)} bytes per token: ` +
      `${count(plan.prefixRows)} prompt tokens, ${plan.slots} × ${completionTokens} response tokens`,
    `  ${size(plan.prefill)}  activations of one prefill`,
    `  ${size(plan.decode)}  logits of one decode step, ${plan.slots} rows`,
    `  ${size(plan.visionTower)}  vision tower over ${options.imageTokens} image tokens`,
    ...(training
      ? [
          `  ${size(plan.activations)}  activations of an update of ${microBatch} ` +
            `response${microBatch === 1 ? "" : "s"}, all layers stored`,
          `  ${size(plan.activationsRecomputed)}  … with layers recomputed`,
          ...(plan.reference > 0 ? [`  ${size(plan.reference)}  KL reference: a frozen copy of the policy`] : []),
          `  ${size(0)}  logits in training: never stored`,
        ]
      : []),
    `  ${size(plan.peak)}  peak${training ? ", all layers stored" : ""}`,
    ...(training
      ? [
          `  ${size(plan.peakRecomputed)}  peak with layers ` +
            `recomputed${needed < plan.peak ? " (the default here)" : ""}`,
        ]
      : []),
    `largest weight: ${plan.largestWeight.key}, ${readableBytes(plan.largestWeight.bytes)}` +
      `${blocks > 1 ? `, processed in ${blocks} blocks of rows` : ""}`,
    `limits of this adapter: ${limit(limits.bufferBytes)} per buffer, ${limit(limits.bindingBytes)} per binding`,
  ];
  if (4 * plan.trained > limits.bufferBytes)
    lines.push(
      `does not fit: the trained values take ${readableBytes(4 * plan.trained)}, more than one buffer; ` +
        "train an adapter (--train lora)",
    );
  else if (plan.largestWeight.bytes > limits.bufferBytes)
    lines.push("does not fit: the largest weight takes more than one buffer; choose a smaller --packing");
  else if (available !== null)
    lines.push(
      fits
        ? `fits in ${readableBytes(available)}`
        : `does not fit in ${readableBytes(available)}: lower --slots, --completion or --micro-batch, or choose a ` +
            "smaller --packing",
    );
  return `${lines.join("\n")}\n`;
}

const count = (n: number): string => n.toLocaleString("en");

function limit(bytes: number): string {
  return Number.isFinite(bytes) ? readableBytes(bytes) : "any size";
}
