/**
 * A library in a process of its own: one library's compiled code, memory and threads cannot help or hinder another's,
 * and a peer that crashes is merely skipped. The process answers one request at a time and idles while another library
 * is measured. Its stderr is kept in case it dies.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { MATMUL_VARIABLE } from "../runner/arguments/matmulVariant";
import type { BackendName } from "../tensor/backend";
import type { MatmulOption } from "../tensor/webgpu/kernels/matmul/choice";
import type { Contender, Library, LibraryName, Run } from "./contender";
import type { Job } from "./job";
import { answerSchema, type Question } from "./libraryMessages";
import { countsSchema } from "./results";

const runSchema = z.object({
  milliseconds: z.number(),
  hostMilliseconds: z.number().nullable(),
  counts: countsSchema,
}) satisfies z.ZodType<Run, unknown>;

/** Longest wait for one answer; a cold compiler on a busy machine is slow, but not endless. */
const PATIENCE_MS = 15 * 60_000;
const KEPT_STDERR = 2000;

/**
 * @param matmul our matmul variant on webgpu; null: as in this process.
 * @throws Error when the library cannot be opened, with its own reason
 */
export async function isolatedLibrary(
  name: LibraryName,
  backend: BackendName,
  matmul: MatmulOption | null = null,
): Promise<Library> {
  const child = fork(fileURLToPath(new URL("./libraryProcess.ts", import.meta.url)), [], {
    execArgv: ["--import", "tsx"],
    env: { ...process.env, ...(matmul === null ? {} : { [MATMUL_VARIABLE]: matmul }) },
    serialization: "advanced",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const ask = asker(child, name);
  try {
    const { adapter, notes } = z
      .object({ adapter: z.string(), notes: z.array(z.string()) })
      .parse(await ask({ ask: "library", name, backend }));
    return {
      name,
      adapter,
      notes,
      open: async (job: Job) => {
        await ask({ ask: "open", job });
        return contender(ask);
      },
      close: () => end(child, ask),
    };
  } catch (error) {
    child.kill();
    throw error;
  }
}

type Ask = (question: Question) => Promise<unknown>;

function contender(ask: Ask): Contender {
  return {
    check: async () => z.array(z.number()).parse(await ask({ ask: "check" })),
    run: async (units) => runSchema.parse(await ask({ ask: "run", units })),
    close: async () => void (await ask({ ask: "close" })),
  };
}

function asker(child: ChildProcess, name: string): Ask {
  let stderr = "";
  child.stderr?.on("data", (text: Buffer) => {
    stderr = (stderr + text.toString()).slice(-KEPT_STDERR);
  });
  child.stdout?.resume();
  return (question) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => finish(new Error(`${name} did not answer "${question.ask}" within ${PATIENCE_MS / 60_000} minutes`)),
        PATIENCE_MS,
      );
      const finish = (outcome: unknown): void => {
        clearTimeout(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const onMessage = (message: unknown): void => {
        const answer = answerSchema.parse(message);
        finish("error" in answer ? new Error(answer.error) : answer.result);
      };
      const onExit = (code: number | null, signal: string | null): void =>
        finish(new Error(`${name} ended (${signal ?? `exit code ${code}`}): ${lastError(stderr)}`));
      child.on("message", onMessage);
      child.on("exit", onExit);
      child.send(question);
    });
}

/** The line of a crash that gives the reason. */
function lastError(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines.findLast((line) => /error/i.test(line)) ?? lines.findLast((line) => line !== "") ?? "it said nothing";
}

async function end(child: ChildProcess, ask: Ask): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  await ask({ ask: "end" });
  child.kill();
  await gone;
}
