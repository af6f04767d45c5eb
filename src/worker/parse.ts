/**
 * Checks incoming messages, for both ends. Commands drive training, so every field is parsed; settings patches are
 * checked when they are merged (src/training/configure.ts). Events carry tens of thousands of numbers ten times per
 * second from our own worker or runner, so only the fields that decide control flow are checked.
 */
import { z } from "zod";
import { BACKEND_NAMES, type Command, type Event, type SettingsPatch, SHIPPED, STAGES } from "./protocol";

const run = z.string().min(1);
const bytes = z.instanceof(ArrayBuffer);
const backendName = z.enum(BACKEND_NAMES);
const settingsPatch = z.custom<SettingsPatch>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "settings must be an object",
);
const source = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("shipped"), name: z.enum(SHIPPED) }),
  z.object({ kind: z.literal("files"), files: z.array(z.object({ path: z.string().min(1), bytes })) }),
]);

const commandSchema = z.discriminatedUnion("type", [
  z.object({
    run,
    type: z.literal("open"),
    source,
    settings: settingsPatch,
    backend: backendName.nullable(),
    resume: z.boolean(),
    base: z.string().optional(),
    choice: z
      .object({ id: z.string().nullable(), orNew: z.boolean(), name: z.string().max(200), keepEarlier: z.boolean() })
      .optional(),
  }),
  z.object({ run, type: z.literal("configure"), settings: settingsPatch }),
  z.object({ run, type: z.literal("stage"), stage: z.enum(STAGES) }),
  z.object({
    run,
    type: z.literal("play"),
    delay: z.number().min(0).max(60_000),
    until: z.int().nonnegative().nullable(),
  }),
  z.object({ run, type: z.literal("pause") }),
  z.object({ run, type: z.literal("step") }),
  z.object({ run, type: z.literal("phase") }),
  z.object({ run, type: z.literal("reset") }),
  z.object({ run, type: z.literal("restore"), snapshot: z.string() }),
  z.object({ run, type: z.literal("observe"), group: z.int().nonnegative().nullable() }),
  z.object({ run, type: z.literal("sample"), family: z.string().nullable(), greedy: z.boolean() }),
  z.object({ run, type: z.literal("evaluate"), problems: z.int().positive().max(10_000) }),
  z.object({ run, type: z.literal("export") }),
  z.object({ run, type: z.literal("loseDevice") }),
  z.object({ run, type: z.literal("steer") }),
  z.object({ run, type: z.literal("close") }),
]) satisfies z.ZodType<Command>;

/** A message does not follow the protocol. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** @throws ProtocolError naming the first field that is wrong. */
export function parseCommand(message: unknown): Command {
  const parsed = commandSchema.safeParse(message);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ProtocolError(`not a command: ${issue?.path.join(".") || "message"}: ${issue?.message ?? "invalid"}`);
}

/** The fields of each event that decide control flow; the mapped type keeps the list complete. */
const EVENT_FIELDS: {
  readonly [T in Event["type"]]: Readonly<Record<string, "string" | "number" | "boolean" | "object" | "array">>;
} = {
  progress: { what: "string", done: "number", total: "number" },
  opened: {
    backend: "string",
    adapter: "string",
    features: "array",
    costs: "object",
    passedOver: "array",
    parameters: "number",
    settings: "object",
    stage: "string",
    step: "number",
    resumed: "boolean",
    start: "string",
    history: "array",
  },
  adapter: { adapter: "string" },
  connection: { state: "string", message: "string" },
  steering: { steering: "boolean" },
  shelf: { current: "string", runs: "array" },
  saving: { state: "string" },
  configured: { settings: "object" },
  playing: { playing: "boolean" },
  stage: { stage: "string", step: "number" },
  phaseStarted: { phase: "string", step: "number" },
  phase: { phase: "string", step: "number", groups: "array" },
  stepped: { metrics: "object" },
  data: { progress: "object", examples: "array" },
  sampled: { group: "object" },
  evaluated: { evaluation: "object" },
  snapshots: { snapshots: "array" },
  restored: { stage: "string", step: "number", history: "array" },
  exported: { files: "array" },
  deviceLost: { message: "string", recovering: "boolean", attempt: "number" },
  refused: { step: "number", message: "string" },
  error: { message: "string", fatal: "boolean" },
};

function isEvent(message: unknown): message is Event {
  if (typeof message !== "object" || message === null) return false;
  const fields = message as Readonly<Record<string, unknown>>;
  const type = fields.type;
  if (typeof type !== "string" || !Object.hasOwn(EVENT_FIELDS, type) || typeof fields.run !== "string") return false;
  return Object.entries(EVENT_FIELDS[type as Event["type"]]).every(([key, kind]) => {
    const value = fields[key];
    return kind === "array" ? Array.isArray(value) : typeof value === kind && value !== null;
  });
}

/** @throws ProtocolError when a message is not an event */
export function parseEvent(message: unknown): Event {
  if (isEvent(message)) return message;
  const type =
    typeof message === "object" && message !== null && "type" in message ? String(message.type) : typeof message;
  throw new ProtocolError(`not an event of this protocol: ${type}`);
}
