/** The process of one party (isolation.ts): reads questions from its parent, one after another, and answers them. */
import { type Contender, openParty, type Party } from "./contender";
import { type Answer, type Question, questionSchema } from "./isolation";

let party: Party | null = null;
let contender: Contender | null = null;

function needed<T>(value: T | null, what: string): T {
  if (value === null) throw new Error(`there is no ${what} yet`);
  return value;
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "party":
      party = await openParty(question.name, question.backend);
      return { adapter: party.adapter, notes: party.notes };
    case "open":
      contender = await needed(party, "party").open(question.job);
      return null;
    case "check":
      return needed(contender, "contender").check();
    case "run":
      return needed(contender, "contender").run(question.units);
    case "close":
      await needed(contender, "contender").close();
      contender = null;
      return null;
    case "end":
      await party?.close();
      return null;
    default:
      return question satisfies never;
  }
}

function send(message: Answer): void {
  if (process.send === undefined) throw new Error("partyProcess is started by isolation.ts, not by hand.");
  process.send(message);
}

process.on("message", (message) => {
  answer(questionSchema.parse(message)).then(
    (result) => send({ result }),
    (error: unknown) => send({ error: error instanceof Error ? error.message : String(error) }),
  );
});
