/** What tabs of one browser that have the same run say to each other, over a BroadcastChannel. */
import { z } from "zod";
import type { EventBody } from "./runLifecycle";

const tab = z.string().min(1);
const event = z.custom<EventBody>((value) => typeof value === "object" && value !== null && "type" in value);

const messageSchema = z.discriminatedUnion("kind", [
  /** A watcher asks the owner for the state of the run. */
  z.object({ kind: z.literal("join"), from: tab }),
  /** A tab has become the owner: watchers join again. */
  z.object({ kind: z.literal("owner") }),
  /** An event of the run; `to` null: for every watcher. */
  z.object({ kind: z.literal("event"), to: tab.nullable(), event }),
  /** A watcher asks the owner to save the run and let go of it. */
  z.object({ kind: z.literal("handOver"), from: tab }),
  /** "closing": it will be free; "free": it is; "unsaved": it stays, since what is stored is older than the run. */
  z.object({ kind: z.literal("answer"), to: tab, answer: z.enum(["closing", "free", "unsaved"]) }),
]);
export type TabMessage = z.output<typeof messageSchema>;
export type Answer = Extract<TabMessage, { kind: "answer" }>["answer"];

export interface TabChannel {
  post(message: TabMessage): void;
  close(): void;
}

/** @param receive gets the messages of the other tabs; those of another version of the page are ignored */
export function openTabChannel(name: string, receive: (message: TabMessage) => void): TabChannel {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    const parsed = messageSchema.safeParse(data);
    if (parsed.success) receive(parsed.data);
    else console.warn("Ignored a message from another version of this page.", parsed.error);
  };
  return {
    post: (message) => channel.postMessage(message),
    close: () => channel.close(),
  };
}
