/**
 * Commands of the runner in a process of their own, one after the other: a message {args} is answered with what the
 * command printed and how it ended. A command that hangs or fills the memory costs only this process.
 */
import { z } from "zod";
import { reportFailure } from "../../runner/arguments/failure";
import { parseArguments } from "../../runner/arguments/usage";
import { COMMANDS, flagsOf } from "../../runner/commandTable";
import type { Ended } from "./ended";

const messageSchema = z.object({ args: z.array(z.string()) });

let printed = "";
const capture = (chunk: unknown): boolean => {
  printed += chunk instanceof Uint8Array ? new TextDecoder().decode(chunk) : String(chunk);
  return true;
};
process.stdout.write = capture;
process.stderr.write = capture;

async function run([name = "", ...rest]: readonly string[]): Promise<number> {
  try {
    const load = COMMANDS[name];
    if (load === undefined) throw new Error(`there is no command ${name}`);
    const command = await load();
    return await command.run(parseArguments(rest, flagsOf(command)));
  } catch (error) {
    return reportFailure("srpo", error);
  }
}

process.on("message", (message) => {
  printed = "";
  const began = process.cpuUsage();
  void run(messageSchema.parse(message).args).then((code) => {
    const { user, system } = process.cpuUsage(began);
    const { rss } = process.memoryUsage();
    process.send?.({ code, printed, cpuSeconds: (user + system) / 1e6, rss } satisfies Ended);
  });
});
process.send?.("ready");
