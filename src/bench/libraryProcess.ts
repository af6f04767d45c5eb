/** The process of one library (isolation.ts): reads requests from its parent, one after another, and answers them. */
import type { Contender, Library } from "./contender";
import { type Answer, type Question, questionSchema } from "./libraryMessages";
import { openLibrary } from "./openLibrary";

let library: Library | null = null;
let contender: Contender | null = null;

function needed<T>(value: T | null, what: string): T {
  if (value === null) throw new Error(`there is no ${what} yet`);
  return value;
}

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "library":
      library = await openLibrary(question.name, question.backend);
      return { adapter: library.adapter, notes: library.notes };
    case "open":
      contender = await needed(library, "library").open(question.job);
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
      await library?.close();
      return null;
    default:
      return question satisfies never;
  }
}

function send(message: Answer): void {
  if (process.send === undefined) throw new Error("libraryProcess.ts is started by isolation.ts, not by hand.");
  process.send(message);
}

process.on("message", (message) => {
  answer(questionSchema.parse(message)).then(
    (result) => send({ result }),
    (error: unknown) => send({ error: error instanceof Error ? error.message : String(error) }),
  );
});
