/** The reward file of a run: read for a new run, and held to its first text when the run is resumed. */
import { join } from "node:path";
import { UsageError } from "../arguments/usage";
import { InputError } from "../files/inputError";
import { copyName, RewardFile } from "./rewardFile";
import type { RunPlan } from "./runPlan";

/**
 * The reward file of a new run, else of the stored one.
 * @param path as given with this command; null: not given
 * @throws UsageError, InputError when a resumed run would score by another text than it began with
 */
export async function resolveReward(
  stored: Pick<RunPlan, "reward"> | null,
  path: string | null,
  folder: string,
): Promise<RewardFile | null> {
  if (stored === null) return path === null ? null : RewardFile.open(path);
  if (stored.reward === null) {
    if (path === null) return null;
    throw new UsageError(
      `the run in ${folder} started without a reward file: leave --reward out to resume it, or start a new run in ` +
        "another folder",
    );
  }
  const file = await RewardFile.open(path ?? stored.reward.file);
  if (file.sha256 === stored.reward.sha256) return file;
  throw new InputError(
    `${file.path} is not the reward file that the run in ${folder} started with: resume it with --reward ` +
      `${join(folder, copyName(stored.reward.file))}, its copy, or start a new run in another folder`,
  );
}

/** What the plan says of a reward file. */
export function plannedReward(file: RewardFile | null): RunPlan["reward"] {
  return file === null ? null : { file: file.path, sha256: file.sha256 };
}
