/**
 * `npm run attack -- serve`: a run is served and trains while a flood goes on in another process. A try is survived
 * when the page loads and the steering tab is answered throughout, steps go on, and memory stays within its bound.
 */
import { spawn } from "node:child_process";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Attack, type AttackResult, isWanted } from "../attack";
import { FLOODS } from "./floods";
import { loadPage, type Served, startServed, Visitor, within } from "./served";

/** Milliseconds of each try, and between its visits. */
const DURATION = 6000;
const BETWEEN = 300;
/**
 * Milliseconds for the page to load, and for a steering tab to be answered. A machine that has nothing else to do needs
 * a tenth of it; what was measured is in the detail.
 */
const PATIENCE = 5000;
/** Bytes that the server may hold above what it held before. */
const MEMORY = 160 * 2 ** 20;
const LARGEST = "/policies/base/model.safetensors";

export const attackServe: Attack = async ({ tries, only, onProgress }) => {
  const served = await startServed();
  const results: AttackResult[] = [];
  try {
    const visitor = await Visitor.join(served);
    visitor.send({ type: "play", delay: 0, until: null });
    await visitor.next("stepped");
    for (const name of Object.keys(FLOODS).filter((each) => isWanted(each, { only }))) {
      const result: AttackResult = { attack: `serve: ${name}`, tries: tries ?? 1, survived: 0, detail: [] };
      for (let i = 0; i < result.tries; i++) {
        onProgress(name);
        const fault = await survive(served, visitor, name, result.detail);
        if (fault === null) result.survived++;
        else result.detail.push(`not survived: ${fault}`);
        if (served.process.exitCode !== null) throw new Error(`the server ended. It said: ${served.said()}`);
      }
      results.push(result);
    }
    visitor.leave();
  } finally {
    await served.stop();
  }
  return results;
};

/** One try. → what went wrong; null: survived */
async function survive(served: Served, visitor: Visitor, name: string, detail: string[]): Promise<string | null> {
  const before = served.memory();
  const steps = visitor.steps;
  const script = fileURLToPath(new URL("./floodProcess.ts", import.meta.url));
  const flood = spawn(process.execPath, ["--import", "tsx", script, name, String(served.port), served.token, LARGEST], {
    stdio: "ignore",
  });
  const [loads, answers]: [number[], number[]] = [[], []];
  let peak = before;
  try {
    // The flood has begun when its process has loaded.
    await after(1500);
    const end = performance.now() + DURATION;
    for (let visit = 0; performance.now() < end; visit++) {
      loads.push(await within("the page", PATIENCE, loadPage(served)));
      if (!visitor.connected) return "the steering tab was disconnected";
      answers.push(await within("an answer to the steering tab", PATIENCE, visitor.steer(1 + (visit % 2) / 10)));
      peak = Math.max(peak, served.memory());
      await after(BETWEEN);
    }
    if (flood.exitCode !== null) return `the flood itself ended with ${flood.exitCode}`;
    if (visitor.steps === steps) return "training stood still";
    if (peak - before > MEMORY) return `memory grew by ${(peak - before) >> 20} MB`;
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    flood.kill("SIGKILL");
    const most = (values: readonly number[]): string =>
      values.length === 0 ? "none" : `${Math.round(Math.max(...values))} ms at most`;
    detail.push(
      `${loads.length} page loads, ${most(loads)}; ${answers.length} answers, ${most(answers)}; ` +
        `${visitor.steps - steps} steps; ${Math.max(0, (peak - before) >> 20)} MB more`,
    );
  }
}
