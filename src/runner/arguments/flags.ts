/**
 * What a command declares of its flags: arguments are read by it (usage.ts) and its help is printed from it (help.ts).
 */
export interface Flag {
  readonly type: "string" | "boolean" | "positional";
  readonly description: string;
  readonly default?: string;
  /** What stands for the value in the help, e.g. "file". */
  readonly valueHint?: string;
  readonly required?: boolean;
}

/** By name in camelCase; on the command line names are kebab-case. */
export type Flags = Readonly<Record<string, Flag>>;

/** maxPixels → max-pixels. */
export const kebabCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** max-pixels → maxPixels. */
export const camelCase = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
