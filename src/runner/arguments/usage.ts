/** The command line: arguments read and checked against a command's flags. */
import type { SettingsPatch } from "../../training/settings";
import { camelCase, type Flags, kebabCase } from "./flags";

/** What was typed cannot be run. Bad files are InputErrors (files/inputError.ts). */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Sections of the settings that flags may name directly, e.g. --grpo.learningRate 1e-4. */
const SECTION = /^(reward|sft|grpo)\.[A-Za-z.]+$/;

/** A command's arguments, read and checked against its flags. */
export class Arguments {
  constructor(
    private readonly values: ReadonlyMap<string, string | true>,
    private readonly flags: Flags,
    readonly settings: SettingsPatch,
  ) {}

  /** The flag's value, else its default. @throws UsageError when it has neither */
  text(name: string): string {
    const value = this.optional(name);
    if (value === null) throw new UsageError(`--${kebabCase(name)} is required; see --help`);
    return value;
  }

  optional(name: string): string | null {
    const value = this.values.get(name) ?? this.flags[name]?.default;
    return typeof value === "string" ? value : null;
  }

  /** The value on the command line; null when the flag was left out, whatever its default. */
  given(name: string): string | null {
    const value = this.values.get(name);
    return typeof value === "string" ? value : null;
  }

  boolean(name: string): boolean {
    return this.values.get(name) === true;
  }

  /** A whole number from `least` to `most`. */
  integer(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    return integer(this.label(name), this.text(name), least, most);
  }

  /** A number of at least 0, such as a price; null if the flag was left out. */
  amount(name: string): number | null {
    const text = this.optional(name);
    if (text === null) return null;
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0)
      throw new UsageError(`${this.label(name)}: "${text}" is not a number ≥ 0`);
    return value;
  }

  /** What the person typed: --name, or the place of a word without a flag. */
  private label(name: string): string {
    return labelOf(name, this.flags);
  }

  oneOf<T extends string>(name: string, known: readonly T[]): T {
    return oneOf(this.label(name), this.text(name), known);
  }
}

/**
 * Read raw arguments: --flag value, --flag=value, --switch, positional words, and settings as --set path=value or
 * --section.path value.
 * @throws UsageError on an unknown flag, a flag without its value, a missing required flag, or an unexpected word
 */
export function parseArguments(rawArgs: readonly string[], flags: Flags): Arguments {
  const patch: Record<string, unknown> = {};
  const values = new Map<string, string | true>();
  for (let i = 0; i < rawArgs.length; i++) {
    const word = rawArgs[i] ?? "";
    if (!word.startsWith("--")) {
      const name = Object.keys(flags).find((key) => flags[key]?.type === "positional" && !values.has(key));
      if (name === undefined) throw new UsageError(`"${word}" is unexpected here: flags begin with --; see --help`);
      values.set(name, word);
      continue;
    }
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const key = camelCase(name);
    const flag = flags[key];
    const isSetting = "set" in flags && SECTION.test(name);
    if (flag === undefined && !isSetting)
      throw new UsageError(`unknown flag --${name}; expected one of ${namesOf(flags).join(", ")}`);
    if (flag?.type === "boolean") {
      if (equals >= 0) throw new UsageError(`--${name} takes no value`);
      values.set(key, true);
      continue;
    }
    const value = equals >= 0 ? word.slice(equals + 1) : rawArgs[++i];
    if (value === undefined || value === "" || (equals < 0 && value.startsWith("--")))
      throw new UsageError(`--${name} needs a value`);
    if (name === "set") assign(patch, ...pathAndValue(value));
    else if (isSetting) assign(patch, name, value);
    else values.set(key, value);
  }
  const missing = Object.entries(flags).find(([key, flag]) => flag.required === true && !values.has(key));
  if (missing !== undefined) {
    throw new UsageError(`${labelOf(missing[0], flags)} is required; see --help`);
  }
  return new Arguments(values, flags, patch);
}

const labelOf = (name: string, flags: Flags): string =>
  flags[name]?.type === "positional" ? name.toUpperCase() : `--${kebabCase(name)}`;

const namesOf = (flags: Flags): string[] =>
  Object.entries(flags).flatMap(([name, { type }]) => (type === "positional" ? [] : [`--${kebabCase(name)}`]));

/** @throws UsageError naming the flag */
function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new UsageError(`${flag}: "${text}" is not a whole number ≥ ${least}`);
  if (value > most) throw new UsageError(`${flag}: ${text} is too large; expected at most ${most}`);
  return value;
}

/** One of a list. @throws UsageError naming the flag and the list */
export function oneOf<T extends string>(flag: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found === undefined) throw new UsageError(`${flag}: "${text}" is not one of ${known.join(", ")}`);
  return found;
}

function pathAndValue(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new UsageError(`--set: "${text}" is not of the form path=value, e.g. grpo.learningRate=1e-4`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** Set a value at a dotted path. Numbers, true, false, null and JSON lists are parsed; families also as a,b. */
function assign(patch: Record<string, unknown>, path: string, text: string): void {
  const names = path.split(".");
  let at = patch;
  for (const name of names.slice(0, -1)) {
    const inner = Object.hasOwn(at, name) ? at[name] : undefined;
    const next: Record<string, unknown> = isRecord(inner) ? inner : {};
    setOwn(at, name, next);
    at = next;
  }
  const value = path === "families" && !text.startsWith("[") ? text.split(",") : literal(text);
  setOwn(at, names.at(-1) ?? path, value);
}

/** Sets an own property, also where its name is that of an inherited setter (`__proto__`). */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}

function literal(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
