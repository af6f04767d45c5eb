/** The commands that a page of the documentation tells its reader to run, in order. */
import { readFileSync } from "node:fs";

export interface DocumentedCommand {
  /** The command as one line, without its comment. */
  readonly line: string;
  readonly words: readonly string[];
  /** The file that `> FILE` writes its output to. */
  readonly redirect: string | null;
  /** It stands in a sentence, where its arguments may be left out. */
  readonly inline: boolean;
}

/** Blocks of shell, and calls of npm and npx in the text. */
const CODE = /```sh\n([\s\S]*?)```|```[\s\S]*?```|`((?:npm|npx) [^`]+)`/g;

export function documentedCommands(page: string): DocumentedCommand[] {
  return [...readFileSync(page, "utf8").matchAll(CODE)].flatMap(([, block, inline]) => {
    if (inline !== undefined) return [command(inline.replaceAll(/\s+/g, " "), true)];
    return (block ?? "")
      .replaceAll(/\\\n\s*/g, "")
      .split("\n")
      .flatMap((line) => line.replace(/(^|\s)#.*$/, "").split(" && "))
      .map((line) => line.trim())
      .filter((line) => line !== "")
      .map((line) => command(line, false));
  });
}

function command(line: string, inline: boolean): DocumentedCommand {
  const [call = "", redirect] = line.split(/\s+>\s+/);
  return { line, words: call.trim().split(/\s+/), redirect: redirect ?? null, inline };
}
