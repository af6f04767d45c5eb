/** One process at a time has a run's folder, and nobody waits for a dead one. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refuseForeign, removePartial } from "./runEntries";
import { LOCK, RunLock, TAKEOVER } from "./runLock";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-lock-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Above the largest process id of Linux. */
const DEAD = 4_194_305;
const lock = (holder: unknown): Promise<void> =>
  writeFile(join(folder, LOCK), typeof holder === "string" ? holder : JSON.stringify(holder));

describe("the lock", () => {
  test("is whole from the start, held once, and gone when released", async () => {
    const taken = await RunLock.take(folder);
    expect(JSON.parse(await readFile(join(folder, LOCK), "utf8"))).toMatchObject({
      pid: process.pid,
      host: hostname(),
    });
    await expect(RunLock.take(folder)).rejects.toThrow(/is already training or serving this run/);
    await taken.release();
    expect(await readdir(folder)).toEqual([]);
    await (await RunLock.take(folder)).release();
  });

  test.each<[string, unknown]>([
    ["a dead process", { pid: DEAD, host: hostname(), started: null }],
    ["a dead process, as locks were before", String(DEAD)],
    ["an id that another process has got since", { pid: process.ppid, host: hostname(), started: "earlier boot 17" }],
    ["our own id, of an earlier container", { pid: process.pid, host: hostname(), started: null }],
    ["nobody: an empty file after a power cut", ""],
  ])("of %s is replaced", async (_whose, holder) => {
    await lock(holder);
    const taken = await RunLock.take(folder);
    expect(await readdir(folder)).toEqual([LOCK]);
    await taken.release();
  });

  test.each<[string, unknown, RegExp]>([
    ["a living process", { pid: process.ppid, host: hostname(), started: null }, /process \d+ is already training/],
    [
      "a process of another host",
      { pid: 7, host: "elsewhere", started: null },
      /process 7 on the host elsewhere .*if it no longer runs, remove .*run\.lock/,
    ],
    ["something else", "{ a lock of mine }", /run\.lock is not a lock of this program/],
  ])("of %s stays", async (_whose, holder, message) => {
    await lock(holder);
    const before = await readFile(join(folder, LOCK), "utf8");
    await expect(RunLock.take(folder)).rejects.toThrow(message);
    expect(await readFile(join(folder, LOCK), "utf8")).toBe(before);
  });

  test("a takeover under way is left alone", async () => {
    await lock(String(DEAD));
    await writeFile(join(folder, TAKEOVER), "");
    await expect(RunLock.take(folder)).rejects.toThrow(/another process has just taken this run/);
  });

  test.each([
    ["a minute ago", -60_000],
    ["in the future by a clock that has gone back", 3_600_000],
  ])("a takeover that a killed process has left, %s, does not count", async (_when, away) => {
    await lock(String(DEAD));
    await writeFile(join(folder, TAKEOVER), "");
    const then = new Date(Date.now() + away);
    await utimes(join(folder, TAKEOVER), then, then);
    await (await RunLock.take(folder)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("releasing leaves a lock that somebody else has put there", async () => {
    const taken = await RunLock.take(folder);
    await lock({ pid: 7, host: "elsewhere", started: null });
    await taken.release();
    expect(await readdir(folder)).toEqual([LOCK]);
  });

  test("of several processes that find a dead one's lock, one gets it", { timeout: 120_000 }, async () => {
    await lock(String(DEAD));
    const script = join(folder, "..", `srpo-take-${process.pid}.mjs`);
    const module = resolve("src/runner/run/runLock.ts");
    await writeFile(
      script,
      `import { existsSync } from "node:fs";
       const { RunLock } = await import(${JSON.stringify(module)});
       process.stdout.write("ready ");
       while (!existsSync(process.argv[2])) await new Promise((wake) => setTimeout(wake, 1));
       const taken = await RunLock.take(process.argv[3]).then(() => true, () => false);
       process.stdout.write(taken ? "taken" : "refused");
       setTimeout(() => undefined, 2000);`,
    );
    const go = join(folder, "..", `srpo-go-${process.pid}`);
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ["--import", "tsx", script, go, folder], { stdio: ["ignore", "pipe", "inherit"] }),
    );
    const said = children.map(() => "");
    for (const [i, child] of children.entries()) child.stdout.on("data", (text) => (said[i] += String(text)));
    const until = async (pattern: RegExp): Promise<void> => {
      while (!said.every((text) => pattern.test(text))) await new Promise((wake) => setTimeout(wake, 20));
    };
    await until(/ready/);
    await writeFile(go, "");
    await until(/taken|refused/);
    expect(said.map((text) => text.trim()).sort()).toEqual([
      "ready refused",
      "ready refused",
      "ready refused",
      "ready taken",
    ]);
    await Promise.all(children.map((child) => new Promise((ended) => child.once("exit", ended))));
    await Promise.all([rm(script), rm(go)]);
  });
});

describe("a run's folder", () => {
  test("new and empty ones are taken, and what a killed beginning has left", async () => {
    await refuseForeign(join(folder, "not there yet"), "out");
    await refuseForeign(folder, "out");
    await lock(String(DEAD));
    await writeFile(join(folder, "snapshot.bin.17.partial"), "SR");
    await writeFile(join(folder, "reward.ts"), "export default 1");
    await writeFile(join(folder, "snapshot.bin"), "SRPOSNP2…");
    await writeFile(join(folder, "metrics.jsonl"), "");
    await refuseForeign(folder, "out");
  });

  test.each([
    ["notes.txt", "mine"],
    ["metrics.jsonl", '{"loss": 3}\n'],
    ["snapshot.bin", "a snapshot of something else"],
    ["reward.ts", "export default mine"],
    ["model.safetensors", "weights"],
    ["results.3.partial", "mine"],
  ])("one with %s of somebody else's is refused, by name", async (name, text) => {
    await writeFile(join(folder, name), text);
    await expect(refuseForeign(folder, "out")).rejects.toThrow(
      `--out ${folder} contains files that are no run's (${name}): choose a new or empty folder`,
    );
    expect(await readFile(join(folder, name), "utf8")).toBe(text);
  });

  test("only a run's own temporary files are removed", async () => {
    await mkdir(join(folder, "grpo"));
    await mkdir(join(folder, "mine"));
    const own = ["snapshot.bin.12.partial", "plan.json.12.partial", "grpo/model.safetensors.12.partial"];
    const others = ["results.12.partial", "mine/snapshot.bin.12.partial", "grpo/config.json", "mine/notes.txt"];
    for (const name of [...own, ...others]) await writeFile(join(folder, name), "x");
    await removePartial(folder);
    const left = await readdir(folder, { recursive: true });
    expect(left.filter((name) => !["grpo", "mine"].includes(name)).sort()).toEqual(others.sort());
  });
});
