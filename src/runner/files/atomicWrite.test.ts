/** Writing on a disk that is full: Linux has a file that is, /dev/full. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendLine, partialPath, writeAtomically } from "./atomicWrite";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-full-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(!existsSync("/dev/full"))("a full disk", () => {
  test("is named with the file; the old content stays, and no half of the new one", async () => {
    const path = join(folder, "snapshot.bin");
    await writeFile(path, "old");
    await symlink("/dev/full", partialPath(path));
    await expect(writeAtomically(path, "new")).rejects.toThrow(
      `${path}: no room on the disk to write it (ENOSPC: no space left on device, write); what was written before is`,
    );
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["snapshot.bin"]);
  });

  test("is named when a line is appended", async () => {
    const path = join(folder, "metrics.jsonl");
    await symlink("/dev/full", path);
    await expect(appendLine(path, { loss: 1 })).rejects.toThrow(`${path}: no room on the disk to write it (ENOSPC`);
  });
});
