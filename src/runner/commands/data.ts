/** `data check`: what a run would skip of a data set, and how long its prompts are, before anything is trained. */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { parseConfig } from "../../policy/checkpoint/config";
import { PromptEncoder } from "../../policy/processor/promptEncoder";
import type { PromptReader } from "../../training/promptCheck";
import { imagesFlag, maxPixelsFlag, policyFlag, type RunnerCommand, setFlag } from "../arguments/command";
import { settingsOf } from "../arguments/settingsArguments";
import { type Arguments, oneOf } from "../arguments/usage";
import { asInput } from "../backend/openPolicy";
import { type CheckedRecord, checkRecords, checkReflections } from "../data/dataCheck";
import { readInstruction } from "../data/dataSource";
import { placeName } from "../data/recordFaults";
import { InputError } from "../files/inputError";

export const dataCommand: RunnerCommand = {
  description: "Check a data set: open every picture, render every prompt; exit 1 if a record would be skipped",
  flags: {
    action: { type: "positional", required: true, description: "check" },
    file: { type: "positional", required: true, description: "JSON Lines, JSON or Parquet, as for train" },
    policy: policyFlag,
    images: { ...imagesFlag, description: "Folder that image paths are relative to (default: that of the file)" },
    maxPixels: maxPixelsFlag,
    instruction: {
      type: "string",
      valueHint: "file",
      description: "Text below each question, as for the run (default: asks for the response format)",
    },
    reflections: { type: "string", valueHint: "file", description: "File of srpo reflect, checked for the stage sft" },
    maxPromptTokens: { type: "string", valueHint: "n", description: "Longer prompts would be skipped" },
    json: { type: "boolean", description: "Print one JSON line per record: tokens, picture sizes, error" },
    set: setFlag,
  },
  examples: [
    "npm run srpo -- data check data/train.jsonl --policy models/Qwen2.5-VL-3B-Instruct",
    "npm run srpo -- data check data/train.jsonl --set maxNewTokens=1024 --json",
  ],
  async run(args) {
    oneOf("action", args.text("action"), ["check"]);
    const path = args.text("file");
    const settings = settingsOf(args);
    const policy = await promptReader(args);
    const instruction = await readInstruction({
      instruction: args.optional("instruction"),
      reflectionForm: settings.reflectionForm,
    });
    const limit = args.optional("maxPromptTokens") === null ? null : args.integer("maxPromptTokens", 1);
    const options = { images: args.optional("images"), instruction, maxPromptTokens: limit, settings };
    const prompts = new Map<string, number>();
    const records = new Tally("record");
    const json = args.boolean("json");
    for await (const record of checkRecords(path, policy, options)) {
      const { id, promptTokens, error } = record;
      if (error === null && id !== undefined && promptTokens !== undefined) prompts.set(id, promptTokens);
      records.count(record);
      report(record, json);
    }
    const tallies = [{ file: path, tally: records }];
    const reflections = args.optional("reflections");
    if (reflections !== null) {
      const examples = new Tally("reflection");
      for await (const example of checkReflections(reflections, prompts, path, policy, settings)) {
        examples.count(example);
        report(example, json);
      }
      tallies.push({ file: reflections, tally: examples });
    }
    const out = json ? process.stderr : process.stdout;
    for (const { file, tally } of tallies) out.write(`${file}: ${tally.summary()}\n`);
    return tallies.some(({ tally }) => tally.faults > 0 || tally.usable === 0) ? 1 : 0;
  },
};

/** Tokenizer, template and image processor of a policy's folder. Its weights are not read. */
async function promptReader(args: Arguments): Promise<PromptReader> {
  const directory = args.text("policy");
  const maxPixels = args.optional("maxPixels") === null ? null : args.integer("maxPixels", 1);
  const files = await openDirectory(directory);
  const config = await asInput(
    directory,
    files.read("config.json").then((bytes) => parseConfig(new TextDecoder().decode(bytes))),
  );
  const encoder = await asInput(directory, PromptEncoder.open(files, config, maxPixels));
  if (encoder === null) throw new InputError(`${directory}: has no tokenizer.json, so no prompt can be rendered`);
  return {
    config,
    measurePrompt: (question, pictures) => encoder.measure(question, pictures),
    encodeResponse: (text) => encoder.encodeResponse(text),
  };
}

function report(record: CheckedRecord, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(record)}\n`);
  else if (record.error !== null) process.stdout.write(`${placeName(record)}: ${record.error}\n`);
}

/** Counts and ranges of a file. */
class Tally {
  faults = 0;
  usable = 0;
  readonly #prompts = new Range();
  readonly #pictures = new Range();
  readonly #responses = new Range();

  constructor(private readonly what: string) {}

  count({ error, promptTokens, pictureTokens, responseTokens }: CheckedRecord): void {
    if (error !== null) {
      this.faults++;
      return;
    }
    this.usable++;
    this.#prompts.add(promptTokens);
    this.#pictures.add(pictureTokens);
    this.#responses.add(responseTokens);
  }

  summary(): string {
    const total = this.faults + this.usable;
    if (total === 0) return `contains no ${this.what}s`;
    return [
      `${total} ${this.what}${total === 1 ? "" : "s"}, ${this.faults} would be skipped`,
      ...this.#prompts.words("prompt tokens"),
      ...this.#pictures.words("of them for pictures"),
      ...this.#responses.words("response tokens"),
    ].join("; ");
  }
}

class Range {
  #least = Number.POSITIVE_INFINITY;
  #most = 0;
  #sum = 0;
  #count = 0;

  add(value: number | undefined): void {
    if (value === undefined) return;
    this.#least = Math.min(this.#least, value);
    this.#most = Math.max(this.#most, value);
    this.#sum += value;
    this.#count++;
  }

  words(what: string): string[] {
    if (this.#count === 0) return [];
    return [`${what} ${this.#least} to ${this.#most}, mean ${Math.round(this.#sum / this.#count)}`];
  }
}
