/** Runs the Python script beside this file: work in on stdin, figures out on stdout, progress on stderr. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type FullSizeFigures, type FullSizeWork, fullSizeFiguresSchema } from "../../fullSize/work";

const SHIM = fileURLToPath(new URL("full_size.py", import.meta.url));
const KEPT_STDERR = 4000;

/** A peer that is not installed; the message says what to install. */
export class PeerMissing extends Error {
  override readonly name = "PeerMissing";
}

/**
 * @param python an interpreter that has torch, transformers and peft
 * @throws PeerMissing when it is not there or lacks them; Error when the measurement fails
 */
export async function measureTransformers(
  python: string,
  work: FullSizeWork,
  onProgress: (what: string) => void,
): Promise<FullSizeFigures> {
  const { code, stdout, stderr } = await run(python, JSON.stringify(work), onProgress);
  if (code !== 0) throw failure(python, code, stderr);
  return parseFigures(stdout);
}

/** The figures from the script's output. @throws Error naming the first key that is wrong */
export function parseFigures(stdout: string): FullSizeFigures {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new Error(`full_size.py printed "${line.slice(0, 80)}" instead of its figures as JSON.`, { cause });
  }
  const parsed = fullSizeFiguresSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(`full_size.py's figures: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}.`);
}

/** Why the script ended: a missing module is the user's to install, anything else is a failure. */
export function failure(python: string, code: number | null, stderr: string): Error {
  const missing = /No module named '([\w.]+)'/.exec(stderr)?.[1];
  if (missing !== undefined)
    return new PeerMissing(
      `${python} has no module ${missing}: pip install torch transformers peft accelerate into an environment, ` +
        "and name its interpreter with --python",
    );
  const last =
    stderr
      .split("\n")
      .map((line) => line.trim())
      .findLast((line) => line !== "") ?? "it said nothing";
  return new Error(`full_size.py ended with exit code ${code}: ${last}`);
}

function run(
  python: string,
  input: string,
  onProgress: (what: string) => void,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, [SHIM], { stdio: ["pipe", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-KEPT_STDERR);
      const told = /^transformers: .+$/m.exec(text)?.[0];
      if (told !== undefined) onProgress(told);
    });
    child.on("error", (cause) =>
      reject(
        new PeerMissing(
          `${python} cannot be started (${cause.message}); name a Python that has torch, transformers and peft ` +
            "with --python",
        ),
      ),
    );
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    // An interpreter that dies early closes its end; its exit code says so.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
