/**
 * A command's declaration of its flags: usage.ts reads arguments by it, and help.ts prints help from it.
 */
export interface Flag {
  readonly type: "string" | "boolean" | "positional";
  readonly description: string;
  readonly default?: string;
  /** Stands for the value in the help, e.g. "file". */
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
