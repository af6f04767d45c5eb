/** Files that cannot be read or written are named. A disk that is full: Linux has a file that is, /dev/full. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { appendLine, partialPath, readIfThere, writeAtomically } from "./atomicWrite";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-full-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a full disk", () => {
  beforeEach((context) => {
    if (!existsSync("/dev/full")) context.skip("the system has no /dev/full");
  });

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

test("what stands in a file's place is named when it is read", async () => {
  const path = join(folder, "plan.json");
  expect(await readIfThere(path)).toBeNull();
  await mkdir(path);
  await expect(readIfThere(path)).rejects.toThrow(`${path}: is a folder, expected a file`);
  await symlink("loop", join(folder, "loop"));
  await expect(readIfThere(join(folder, "loop"))).rejects.toThrow(`${join(folder, "loop")}: is a circle`);
});
