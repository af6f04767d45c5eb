/** Runs commands in another process, which is replaced when a command ends it, hangs or after some commands. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Ended, endedSchema } from "./ended";

/** Milliseconds until a command counts as hung, and for its process to start: a busy machine is slow. */
const PATIENCE = 240_000;
const STARTING = 120_000;
/** MB of JavaScript's heap. */
const HEAP = 768;
/** Commands of one process: what each leaves behind is not held against the next. */
const COMMANDS_EACH = 40;

export class CommandRunner {
  #child: ChildProcess | null = null;
  #count = 0;

  /** → how the command ended, or why there is no end to tell of */
  async run(args: readonly string[]): Promise<Ended | string> {
    if (this.#count++ % COMMANDS_EACH === 0) this.close();
    const child = this.#child ?? (await this.start());
    this.#child = child;
    const ended = new Promise<Ended | string>((resolve) => {
      const limit = setTimeout(() => resolve(`no end after ${PATIENCE / 1000} s`), PATIENCE);
      const onExit = (code: number | null, signal: string | null): void =>
        resolve(`the process ended with ${signal ?? code}`);
      child.once("exit", onExit);
      child.once("message", (message) => {
        clearTimeout(limit);
        child.off("exit", onExit);
        resolve(endedSchema.parse(message));
      });
    });
    child.send({ args: [...args] });
    const result = await ended;
    if (typeof result === "string") this.close();
    return result;
  }

  close(): void {
    this.#child?.removeAllListeners();
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }

  private async start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("./commandProcess.ts", import.meta.url)), [], {
      execArgv: ["--import", "tsx", `--max-old-space-size=${HEAP}`],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error("the commands' process did not start")), STARTING);
      child.once("message", () => {
        clearTimeout(limit);
        resolve();
      });
    });
    return child;
  }
}
