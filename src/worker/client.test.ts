import { expect, test } from "vitest";
import { WorkerClient } from "./client";
import type { Command, Event } from "./protocol";

function channel() {
  const sent: Command[] = [];
  const faults: string[] = [];
  let receive: (message: unknown) => void = () => undefined;
  const client = new WorkerClient(
    {
      send: (message) => sent.push(message),
      listen: (listener) => {
        receive = listener;
      },
    },
    "now",
    (error) => faults.push(error.message),
  );
  return { sent, faults, client, receive: (message: unknown) => receive(message) };
}

test("commands carry the run; events of an abandoned run are dropped", () => {
  const { client, sent, receive } = channel();
  const heard: Event[] = [];
  client.subscribe((event) => heard.push(event));
  client.send({ type: "step" });
  expect(sent).toEqual([{ type: "step", run: "now" }]);
  receive({ run: "earlier", type: "playing", playing: true });
  receive({ run: "now", type: "playing", playing: false });
  expect(heard).toEqual([{ run: "now", type: "playing", playing: false }]);
});

test("a message that is no event, and a listener that throws, are told and poison nothing", () => {
  const { client, faults, receive } = channel();
  const heard: string[] = [];
  client.subscribe((event) => {
    if (event.type === "refused") throw new Error("a view broke");
    heard.push(event.type);
  });
  receive({ run: "now", type: "surprise" });
  receive({ run: "now", type: "refused", step: 1, message: "" });
  receive({ run: "now", type: "playing", playing: "yes" });
  receive({ run: "now", type: "stage", stage: "sft", step: 0 });
  expect(faults).toEqual([
    "not an event of this protocol: surprise",
    "a view broke",
    "not an event of this protocol: playing",
  ]);
  expect(heard).toEqual(["stage"]);
});

test("waiting for an event ends with a fatal error", async () => {
  const { client, receive } = channel();
  const opened = client.next("opened");
  receive({ run: "now", type: "error", message: "no backend", fatal: true });
  await expect(opened).rejects.toThrow("no backend");
});
