/**
 * `npm run attack -- kill|files|serve|page`: attacks on the product as somebody clumsy or hostile would make them, with
 * a count of what was survived. Exit codes: 0 all survived, 1 not all, 2 bad input.
 */
import { runScript } from "../runner/arguments/script";
import { oneOf, UsageError } from "../runner/arguments/usage";
import { readIfThere, writeAtomically } from "../runner/files/atomicWrite";
import { InputError } from "../runner/files/inputError";
import { ATTACKS, DESCRIPTIONS, loadAttack } from "./attacks";
import { attackTable, RECORD, type Recorded, recordedWith, recordSchema } from "./table";

async function readRecord(): Promise<readonly Recorded[]> {
  const bytes = await readIfThere(RECORD);
  if (bytes === null) return [];
  try {
    return recordSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`${RECORD}: not a list of results (${reason}); npm run attack -- NAME --record makes one`);
  }
}

await runScript({
  name: "attack",
  description:
    "Attack the product and count what it survives. Attacks: " +
    `${ATTACKS.map((name) => `${name} (${DESCRIPTIONS[name]})`).join("; ")}. ` +
    `"report" prints the table of the recorded results.`,
  flags: {
    attack: {
      type: "positional",
      required: true,
      description: `One of ${ATTACKS.join(", ")}, report`,
    },
    tries: { type: "string", valueHint: "n", description: "Tries of each kind (default: the attack's own number)" },
    only: { type: "string", valueHint: "text", description: "Only the kinds whose name contains it" },
    seed: { type: "string", default: "0", valueHint: "n", description: "Seed of every random choice" },
    json: { type: "boolean", description: "Print the results as JSON" },
    record: { type: "boolean", description: `Keep the results in ${RECORD}` },
  },
  examples: [
    "npm run attack -- kill --tries 20",
    "npm run attack -- files --seed 7 --json",
    "npm run attack -- report",
  ],
  async run(args) {
    const wanted = oneOf("attack", args.text("attack"), [...ATTACKS, "report"] as const);
    if (wanted === "report") {
      if (args.boolean("record")) throw new UsageError("--record: a report makes no results");
      process.stdout.write(attackTable(await readRecord()));
      return 0;
    }
    const tries = args.optional("tries") === null ? null : args.integer("tries", 1);
    const seed = args.integer("seed", 0);
    const attack = await loadAttack(wanted);
    const results = [
      await attack({
        tries,
        seed,
        only: args.optional("only"),
        onProgress: (line) => void process.stderr.write(`attack: ${line}\n`),
      }),
    ].flat();
    const command = [
      `npm run attack -- ${wanted}`,
      ...(tries === null ? [] : [`--tries ${tries}`]),
      ...(seed === 0 ? [] : [`--seed ${seed}`]),
    ].join(" ");
    const recorded = results.map((result): Recorded => ({ name: wanted, ...result, command }));
    if (args.boolean("record"))
      await writeAtomically(RECORD, `${JSON.stringify(recordedWith(await readRecord(), recorded), null, 1)}\n`);
    if (args.boolean("json")) process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
    else {
      process.stdout.write(attackTable(recorded));
      for (const { attack: title, detail } of results)
        for (const line of detail) process.stderr.write(`attack: ${title}: ${line}\n`);
    }
    return results.every(({ tries: made, survived }) => survived === made) ? 0 : 1;
  },
});
