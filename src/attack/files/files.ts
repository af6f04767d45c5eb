/**
 * `npm run attack -- files`: valid inputs, damaged in every way that mutations.ts knows, given to the command that
 * reads them. A try is survived when the command does its work, or ends with exit code 1 or 2 and one message that
 * names the file, in bounded time and memory.
 */
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type Attack, type AttackResult, isWanted } from "../attack";
import { Dice } from "../random";
import { CommandRunner } from "./commandRunner";
import type { Ended } from "./ended";
import { type Input, prepareInputs } from "./inputs";
import { MUTATIONS, type Mutation } from "./mutations";

/** Bytes that the process of a command may hold at its end. */
const MEMORY = 1500 * 2 ** 20;
/** Seconds of computing, most of which a command needs to load a policy. */
const TIME = 25;
/** What a person should never read: a stack trace, or the words of a fault of the program. */
const LEAKED = new RegExp(
  [
    String.raw`\n\s+at |Cannot (read|destructure)|is not (a function|iterable|defined)|(?<!received )undefined`,
    String.raw`\[object |Maximum call stack|Invalid (typed )?array length|out of bounds|heap`,
  ].join("|"),
);

export const attackFiles: Attack = async ({ tries, seed, only, onProgress }) => {
  const root = await mkdtemp(join(tmpdir(), "srpo-attack-files-"));
  const runner = new CommandRunner();
  const results: AttackResult[] = [];
  try {
    const inputs = await prepareInputs(join(root), runner);
    for (const input of inputs.filter(({ name }) => isWanted(name, { only }))) {
      await refuseFault(input, join(root, "valid"), runner);
      const dice = new Dice(seed);
      const result: AttackResult = { attack: `damaged ${input.name}`, tries: 0, survived: 0, detail: [] };
      for (const file of input.files) {
        const isJson = /\.(json|jsonl)$/.test(file);
        const fitting = MUTATIONS.filter(({ of }) => of === "all" || isJson);
        for (let i = 0; i < (tries ?? fitting.length); i++) {
          const mutation = fitting[i % fitting.length];
          if (mutation === undefined) continue;
          const fault = await survive(input, file, mutation, dice, join(root, "try"), runner);
          result.tries++;
          if (fault === null) result.survived++;
          else {
            result.detail.push(`${file}, ${mutation.name}: ${fault}`);
            onProgress(`${file}, ${mutation.name}: ${fault}`);
          }
        }
      }
      onProgress(`${input.name}: ${result.survived} of ${result.tries} survived`);
      results.push(result);
    }
  } finally {
    runner.close();
    await rm(root, { recursive: true, force: true });
  }
  return results;
};

/** The undamaged input must be read. @throws Error when it is not: then nothing could be said of damaged ones */
async function refuseFault(input: Input, folder: string, runner: CommandRunner): Promise<void> {
  await cp(input.folder, folder, { recursive: true });
  const ended = await runner.run(input.args(folder, `${folder}-out`));
  if (typeof ended === "string" || ended.code !== 0)
    throw new Error(`${input.name}, undamaged: ${typeof ended === "string" ? ended : ended.printed}`);
  for (const made of [folder, `${folder}-out`]) await rm(made, { recursive: true, force: true });
}

/** One try. → what went wrong; null: survived */
async function survive(
  input: Input,
  file: string,
  mutation: Mutation,
  dice: Dice,
  folder: string,
  runner: CommandRunner,
): Promise<string | null> {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-out`, { recursive: true, force: true });
  await cp(input.folder, folder, { recursive: true });
  const path = join(folder, file);
  const isFolder = (await stat(path)).isDirectory();
  const bytes = isFolder ? new Uint8Array(0) : new Uint8Array(await readFile(path));
  const other = new Uint8Array(await readFile(join(input.folder, dice.pick(otherFiles(input, file)))));
  const damaged = isFolder ? bytes : mutation.apply(bytes, dice, other);
  await rm(path, { recursive: true, force: true });
  await mkdir(damaged === null ? path : dirname(path), { recursive: true });
  if (damaged !== null) await writeFile(path, damaged);
  return fault(await runner.run(input.args(folder, `${folder}-out`)), path);
}

const otherFiles = (input: Input, file: string): readonly string[] => {
  const others = input.files.filter((each) => each !== file && each.includes("."));
  return others.length > 0 ? others : [file];
};

/** What is wrong with how a command ended; null: nothing. */
function fault(ended: Ended | string, path: string): string | null {
  if (typeof ended === "string") return ended;
  const { code, printed, cpuSeconds, rss } = ended;
  const said = printed.trim().split("\n").at(-1)?.slice(-300) ?? "";
  if (cpuSeconds > TIME) return `took ${Math.round(cpuSeconds)} s`;
  if (rss > MEMORY) return `held ${rss >> 20} MB`;
  if (LEAKED.test(printed)) return `said: ${said}`;
  if (code === 0) return null;
  if (code !== 1 && code !== 2) return `exit code ${code}`;
  if (![basename(path), dirname(path)].some((name) => printed.includes(name))) return `named no file: ${said}`;
  return null;
}
