/** Small valid inputs, each in a folder, and the command that reads them. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { problemAt } from "../../tasks/problems";
import type { CommandRunner } from "./commandRunner";

export interface Input {
  readonly name: string;
  /** The valid folder, which is copied for each try. */
  readonly folder: string;
  /** Files of it that are damaged in turn. */
  readonly files: readonly string[];
  /** The command for a copy in `folder`; `out` does not exist yet. */
  args(folder: string, out: string): readonly string[];
}

const POLICY = "public/policies/sft";
const SHORT = ["maxNewTokens=4", "grpo.prompts=1", "grpo.groupSize=2"].flatMap((each) => ["--set", each]);

/** Write the inputs under `root`. */
export async function prepareInputs(root: string, runner: CommandRunner): Promise<readonly Input[]> {
  const at = (name: string): string => join(root, name);
  await cp(POLICY, at("policy"), { recursive: true });
  await writeShardedTo(at("shards"), runner);
  await cp("src/policy/golden/tiny_tied", at("adapter"), { recursive: true });
  await writeData(at("data"));
  await mkdir(at("answers"));
  await writeFile(
    join(at("answers"), "cases.jsonl"),
    [1, 2].map((id) => `${JSON.stringify({ id: String(id), response: "<answer>3</answer>", answer: "3" })}\n`).join(""),
  );
  await writeFile(join(at("answers"), "pairs.jsonl"), `${JSON.stringify({ answer: "1/2", truth: "0.5" })}\n`);
  await mkdir(at("config"));
  await writeFile(join(at("config"), "run.json"), JSON.stringify(RUN_FILE, null, 2));
  await trained(at("run"), runner);
  return [
    {
      name: "shards and their index",
      folder: at("shards"),
      files: ["model.safetensors.index.json", "model-00002-of-00006.safetensors"],
      args: (folder) => ["inspect", folder],
    },
    {
      name: "adapter",
      folder: at("adapter"),
      files: ["lora/adapter_config.json", "lora/adapter_model.safetensors"],
      args: (folder, out) => ["merge", "--model", folder, "--adapter", join(folder, "lora"), "--out", out],
    },
    {
      name: "data as JSON Lines",
      folder: at("data"),
      files: ["data.jsonl", "picture.png", "picture.jpg"],
      args: (folder) => evaluation(folder, "data.jsonl"),
    },
    {
      name: "data as Parquet",
      folder: at("data"),
      files: ["data.parquet"],
      args: (folder) => evaluation(folder, "data.parquet"),
    },
    {
      name: "answers to score",
      folder: at("answers"),
      files: ["cases.jsonl"],
      args: (folder) => ["score", "--input", join(folder, "cases.jsonl")],
    },
    {
      name: "pairs to grade",
      folder: at("answers"),
      files: ["pairs.jsonl"],
      args: (folder) => ["grade", "--input", join(folder, "pairs.jsonl")],
    },
    {
      name: "run file",
      folder: at("config"),
      files: ["run.json"],
      args: (folder, out) => ["train", "--config", join(folder, "run.json"), "--out", out],
    },
    {
      name: "run folder",
      folder: at("run"),
      files: ["snapshot.bin", "plan.json", "metrics.jsonl", "tensorboard", "completions"],
      args: (folder) => ["train", "--out", folder, "--resume", "--steps", "2"],
    },
    {
      name: "policy folder",
      folder: at("policy"),
      files: [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "preprocessor_config.json",
        "generation_config.json",
        "chat_template.jinja",
      ],
      args: (folder) => ["sample", "--policy", folder, "--greedy", "--set", "maxNewTokens=4"],
    },
  ];
}

const RUN_FILE = {
  policy: POLICY,
  stages: ["grpo"],
  logs: { tensorboard: false, completions: false },
  settings: { maxNewTokens: 4, grpo: { steps: 1, prompts: 1, groupSize: 2 }, temperature: 1 },
};

const INSTRUCTION = "none.md";

const evaluation = (folder: string, data: string): readonly string[] => [
  ...["eval", "--policy", POLICY, "--data", join(folder, data), "--instruction", join(folder, INSTRUCTION)],
  ...["--problems", "2", "--greedy", "--set", "maxNewTokens=4"],
];

async function succeed(runner: CommandRunner, args: readonly string[]): Promise<void> {
  const ended = await runner.run(args);
  if (typeof ended === "string" || ended.code !== 0)
    throw new Error(`srpo ${args.join(" ")}: ${typeof ended === "string" ? ended : ended.printed}`);
}

const writeShardedTo = (folder: string, runner: CommandRunner): Promise<void> =>
  succeed(runner, ["synth", "--shape", "tiny", "--out", folder, "--shard-size", "100KB"]);

const trained = (folder: string, runner: CommandRunner): Promise<void> =>
  succeed(runner, [
    ...["train", "--policy", POLICY, "--stage", "grpo", "--steps", "2", "--save-every", "1", "--out", folder],
    ...SHORT,
  ]);

async function writeData(folder: string): Promise<void> {
  await mkdir(folder);
  const picture = sharp({ create: { width: 32, height: 32, channels: 3, background: "#c04040" } });
  const [png, jpg] = [await picture.png().toBuffer(), await picture.jpeg().toBuffer()];
  await writeFile(join(folder, "picture.png"), png);
  await writeFile(join(folder, "picture.jpg"), jpg);
  // The shipped policy knows the words of its own problems only, and no instruction.
  await writeFile(join(folder, INSTRUCTION), "");
  const [first, second] = [problemAt("train", 0), problemAt("train", 1)];
  const rows = [
    { id: "a", image: "picture.png", question: first.question, answer: first.answer },
    { id: "b", image: "picture.jpg", question: second.question, answer: second.answer, category: "jpeg" },
  ];
  await writeFile(join(folder, "data.jsonl"), `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`);
  const columns = [
    { name: "id", data: rows.map(({ id }) => id) },
    { name: "question", data: rows.map(({ question }) => question) },
    { name: "answer", data: rows.map(({ answer }) => answer) },
    { name: "image", data: [new Uint8Array(png), new Uint8Array(jpg)], type: "BYTE_ARRAY" as const },
  ];
  await writeFile(join(folder, "data.parquet"), new Uint8Array(parquetWriteBuffer({ columnData: columns })));
}
