/**
 * Makes public/prepared.json, the group a first visitor sees before the engine is ready: real samples of a shipped
 * policy. `npx tsx src/bench/prepared.ts [POLICY FOLDER] [--tries N]`. Of N sampled groups it keeps the most
 * instructive: many different transitions, and few responses cut off or malformed.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { encodePrepared } from "../app/state/prepared";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Policy } from "../policy/policy";
import { openNodeBackend } from "../runner/backend/nodeBackends";
import type { GroupRecord } from "../training/records";
import { Session } from "../training/session";
import { defaultSettings } from "../training/settings";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { tries: { type: "string", default: "32" } },
});
const folder = positionals[0] ?? "public/policies/sft";
const OUTPUT = "public/prepared.json";

/**
 * Number of different transitions, then of well-formed responses; a malformed or unfinished one costs more than another
 * well-formed one gains.
 */
function worth({ samples }: GroupRecord): number {
  const scores = samples.flatMap(({ score }) => (score && "terms" in score ? [score] : []));
  const transitions = new Set(scores.flatMap(({ transition }) => transition ?? []));
  const flaws =
    samples.filter(({ finished }) => !finished).length + scores.filter(({ wellFormed }) => !wellFormed).length;
  return (
    4 * transitions.size +
    (transitions.has("fixed") ? 2 : 0) +
    scores.filter(({ refinedRight }) => refinedRight).length / 4 -
    2 * flaws
  );
}

const backend = await openNodeBackend("wasm");
const policy = await Policy.load(backend, await openDirectory(folder), { trainable: "none" });
const session = new Session(policy, defaultSettings, { stage: "base" });
let best: GroupRecord | null = null;
for (let tried = 0; tried < Number(values.tries); tried++) {
  const group = await session.sample(null, false);
  if (best === null || worth(group) > worth(best)) best = group;
}
if (best === null) throw new Error(`--tries ${values.tries} sampled nothing; expected a positive number.`);
await writeFile(OUTPUT, encodePrepared(best));
console.log(`${OUTPUT}: ${best.problem.id}, “${best.problem.question}”`);
policy.dispose();
await backend.dispose();
