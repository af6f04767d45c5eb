/**
 * `npm run attack -- kill`: `srpo train` is killed (SIGKILL) again and again, resumed each time, and must end with the
 * bits of a run that was never killed. A run is killed up to five times; one that ends otherwise counts none of its
 * kills as survived.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { type Attack, type AttackResult, isWanted } from "../attack";
import { Dice } from "../random";
import { POINTS } from "./points";
import { digestOf, stepsIn, type Trained, train } from "./training";

/** Kills of one run. */
const CHAIN = 5;
/** A kill at a random moment comes after so many steps of a process, at most, and so many milliseconds. */
const MOST_STEPS = 5;
const LATEST = 400;

const settings = (...each: readonly string[]): string[] => each.flatMap((one) => ["--set", one]);

interface Scene {
  readonly name: string;
  readonly args: readonly string[];
  /** Tries by default. */
  readonly tries: number;
  /** A point of stopAt.ts, of which one of the first `among` is chosen; null: a random moment while it trains. */
  readonly point: string | null;
  readonly among: number;
}

const GRPO = [
  ...["--policy", "public/policies/sft", "--stage", "grpo", "--steps", "24", "--save-every", "2"],
  ...settings("maxNewTokens=24", "grpo.prompts=1", "grpo.groupSize=4"),
];
const SFT = [
  ...["--policy", "public/policies/base", "--stage", "sft", "--steps", "24", "--save-every", "2"],
  ...settings("maxNewTokens=48", "sft.examples=24", "sft.batchSize=4"),
];
/** Few steps, so that most changes of files are those of the beginning, the end and the snapshots. */
const SHORT = GRPO.map((word) => (word === "24" ? "12" : word));

const SCENES: readonly Scene[] = [
  { name: "kill during GRPO steps", args: GRPO, tries: 20, point: null, among: 0 },
  { name: "kill during SFT steps", args: SFT, tries: 5, point: null, among: 0 },
  ...Object.entries(POINTS).map(
    ([name, point]): Scene => ({ name: `kill ${name}`, args: SHORT, tries: 5, point, among: 6 }),
  ),
];

export const attackKill: Attack = async ({ tries, seed, only, onProgress }) => {
  const folder = await mkdtemp(join(tmpdir(), "srpo-attack-kill-"));
  const results: AttackResult[] = [];
  const undisturbed = new Map<readonly string[], string>();
  try {
    for (const scene of SCENES.filter(({ name }) => isWanted(name, { only }))) {
      let digest = undisturbed.get(scene.args);
      if (digest === undefined) {
        const run = join(folder, `undisturbed-${undisturbed.size}`);
        refuseFailure(await train(run, scene.args), 0);
        digest = digestOf(run);
        undisturbed.set(scene.args, digest);
      }
      const wanted = tries ?? scene.tries;
      const result: AttackResult = { attack: scene.name, tries: 0, survived: 0, detail: [] };
      // Runs side by side, each with its own kills: starting a process takes longer than the steps until its end.
      const runs = Array.from({ length: Math.ceil(wanted / CHAIN) }, async (_, chain) => {
        const run = join(folder, `killed-${results.length}-${chain}`);
        const kills = Math.min(CHAIN, wanted - chain * CHAIN);
        const { steps, fault } = await killed(run, scene, kills, new Dice(seed * 1000 + chain), digest);
        result.tries += steps.length;
        if (fault === null) result.survived += steps.length;
        result.detail.push(`killed after steps ${steps.join(", ")}: ${fault ?? "the same bits"}`);
        onProgress(
          `${scene.name}: ${result.survived} of ${result.tries} survived${fault === null ? "" : ` (${fault})`}`,
        );
      });
      await Promise.all(runs);
      if (result.tries === 0) throw new Error(`${scene.name}: no kill came before the end of a run`);
      results.push(result);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return results;
};

/** Waits until the run's log has `more` lines than now, or the process has ended. */
async function steppedOn(run: string, more: number, child: ChildProcess): Promise<void> {
  const wanted = stepsIn(run) + more;
  while (stepsIn(run) < wanted && child.exitCode === null && child.signalCode === null) await after(10);
}

/** One run, killed up to `kills` times. → steps in its log at each kill, and what went wrong */
async function killed(
  run: string,
  { args, point, among }: Scene,
  kills: number,
  dice: Dice,
  digest: string,
): Promise<{ readonly steps: readonly number[]; readonly fault: string | null }> {
  const steps: number[] = [];
  try {
    while (steps.length < kills) {
      const stop = point === null ? null : `${point}:${dice.whole(1, among + 1)}`;
      const [more, delay] = [dice.whole(0, MOST_STEPS + 1), dice.next() * LATEST];
      const ended = await train(run, args, {
        stop,
        onTraining: (child) => {
          if (point === null)
            void steppedOn(run, more, child).then(() => setTimeout(() => child.kill("SIGKILL"), delay));
        },
      });
      if (ended.code === 0) break;
      refuseFailure(ended, null);
      steps.push(stepsIn(run));
    }
    refuseFailure(await train(run, args), 0);
    return { steps, fault: digestOf(run) === digest ? null : "other bits than a run that was never killed" };
  } catch (error) {
    return { steps, fault: error instanceof Error ? error.message : String(error) };
  }
}

function refuseFailure({ code, said }: Trained, wanted: number | null): void {
  if (code === wanted) return;
  throw new Error(`srpo train ended with ${code ?? "a kill"}, expected ${wanted ?? "a kill"}: ${lastLine(said)}`);
}

const lastLine = (said: string): string =>
  said
    .trim()
    .split(/[\n\r]/)
    .at(-1) ?? "";
