/** `--help` as text: usage, description and flags, wrapped at 100 columns, flags in kebab-case. */
import { type Flag, type Flags, kebabCase } from "./flags";

/** Columns of a line of help. */
export const HELP_WIDTH = 100;
/** Descriptions begin at this column at most; a longer name gets a line of its own. */
const MAX_INDENT = 27;

export interface HelpPage {
  /** What to type, e.g. "npm run srpo -- train". */
  readonly command: string;
  readonly description: string;
  readonly flags: Flags;
  /** Named entries between the description and the flags, such as commands or benchmarks. */
  readonly entries?: { readonly title: string; readonly rows: readonly (readonly [name: string, what: string])[] };
  /** Whole command lines to copy. */
  readonly examples: readonly string[];
}

/** The help of a command, ending in a line break. */
export function helpText({ command, description, flags, entries, examples }: HelpPage): string {
  const all = Object.entries(flags);
  const positional = all.filter(([, flag]) => flag.type === "positional");
  const options = all.filter(([, flag]) => flag.type !== "positional");
  const words = [
    command,
    ...positional.map(([name]) => name.toUpperCase()),
    ...options.flatMap(([name, flag]) => (flag.required === true ? [signature(name, flag)] : [])),
    ...(options.some(([, flag]) => flag.required !== true) ? ["[options]"] : []),
  ];
  return [
    ...wrapped(description, HELP_WIDTH),
    "",
    ...hanging("Usage: ", words.join(" ")),
    ...section(
      "Arguments",
      positional.map(([name, flag]) => [name.toUpperCase(), flag.description]),
    ),
    ...(entries === undefined ? [] : section(entries.title, entries.rows)),
    ...section(
      "Options",
      options.map(([name, flag]) => [signature(name, flag), described(flag)]),
    ),
    ...(examples.length === 0 ? [] : ["", "Examples:", ...examples.flatMap((line) => hanging("  ", line, " \\"))]),
    "",
  ].join("\n");
}

/** "--max-pixels n". */
function signature(name: string, { type, valueHint = "value" }: Flag): string {
  return type === "boolean" ? `--${kebabCase(name)}` : `--${kebabCase(name)} ${valueHint}`;
}

function described({ description, default: fallback }: Flag): string {
  return typeof fallback === "string" ? `${description} (default: ${fallback})` : description;
}

function section(title: string, rows: readonly (readonly [name: string, what: string])[]): string[] {
  if (rows.length === 0) return [];
  const indent = Math.min(MAX_INDENT, Math.max(...rows.map(([name]) => name.length + 4)));
  return ["", `${title}:`, ...rows.flatMap(([name, what]) => row(name, what, indent))];
}

function row(name: string, what: string, indent: number): string[] {
  const lines = wrapped(what, HELP_WIDTH - indent).map((line) => `${" ".repeat(indent)}${line}`);
  const label = `  ${name}`;
  if (label.length > indent - 2) return [...wrapped(label, HELP_WIDTH), ...lines];
  return [`${label.padEnd(indent)}${lines[0]?.trimStart() ?? ""}`, ...lines.slice(1)];
}

/** The text behind a label; continuation lines are indented to match. @param joint ends a line that continues */
function hanging(label: string, text: string, joint = ""): string[] {
  const lines = wrapped(text, HELP_WIDTH - label.length - 2 - joint.length);
  const ended = lines.map((line, i) => (i < lines.length - 1 ? line + joint : line));
  return ended.map((line, i) => (i === 0 ? label + line : `${" ".repeat(label.length + 2)}${line}`));
}

/** Broken at spaces, and after the bars of a list that is longer than a line. */
export function wrapped(text: string, width: number): string[] {
  const pieces = text.split(/(?<= )/).flatMap((word) => (word.length > width ? word.split(/(?<=\|)/) : [word]));
  const lines: string[] = [];
  let line = "";
  for (const piece of pieces) {
    if (line !== "" && (line + piece).trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += piece;
  }
  return [...lines, line.trimEnd()];
}
