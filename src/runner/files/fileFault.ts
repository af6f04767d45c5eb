/** Why a file cannot be read, in words; the system's own message repeats the path, however long it is. */
import { shortened } from "./shortened";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist: a part of its path is a file",
  EISDIR: "is a folder, expected a file",
  EACCES: "may not be read by this user",
  EPERM: "may not be read by this user",
  ELOOP: "is a circle of symbolic links",
  ENAMETOOLONG: "is too long for a path",
  ERR_INVALID_ARG_VALUE: "holds a zero character, which no path may",
};

export function fileFault(error: unknown): string {
  if (!(error instanceof Error)) return `cannot be read (${shortened(String(error))})`;
  const words = "code" in error && typeof error.code === "string" ? WORDS[error.code] : undefined;
  return words ?? `cannot be read (${shortened(error.message)})`;
}
