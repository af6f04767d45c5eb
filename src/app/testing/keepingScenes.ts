/** What the page says about what it keeps, one scene each. */
import type { SavingState, StoredRunInfo } from "../../worker/protocol";
import type { PlaygroundController } from "../state/playgroundController";
import type { Script, ScriptedClient } from "./scriptedClient";

interface KeepingScene {
  readonly script: Script;
  readonly play: (playground: PlaygroundController, client: ScriptedClient) => void;
}

const script: Script = { stage: "grpo", step: 37 };
const saving = (state: SavingState): KeepingScene => ({
  script,
  play: (_, client) => client.emit({ type: "saving", ...state }),
});

const RUNS: readonly StoredRunInfo[] = [
  { id: "link", name: "Link of 28 Nov, 17:40", stage: "grpo", step: 0, openedAt: 2 },
  { id: "own", name: "Run of 27 Nov, 09:12", stage: "grpo", step: 112, openedAt: 1 },
];

export const KEEPING_SCENES: Readonly<Record<string, KeepingScene>> = {
  full: saving({
    state: "failed",
    full: true,
    message: "The current transaction exceeded its quota limitations.",
    at: { stage: "grpo", step: 31 },
  }),
  unsaved: saving({ state: "failed", full: true, message: "QuotaExceededError", at: null }),
  nothingStored: saving({ state: "forbidden", message: "Access is denied for this document." }),
  olderSave: saving({ state: "olderSave", message: "snapshot cut short: weights need 9000 bytes, the file has 4500" }),
  unreadable: saving({ state: "unreadable", message: 'not a snapshot: expected the 8 bytes "SRPOSNP1"' }),
  unguarded: saving({ state: "unguarded" }),
  watching: { script: { ...script, watching: true }, play: () => undefined },
  fromLink: {
    script,
    play: (playground, client) => {
      playground.live.keeping.change((state) => ({ ...state, fromLink: true }));
      client.emit({ type: "shelf", current: "link", runs: RUNS });
    },
  },
  stopped: {
    script,
    play: (playground) => {
      for (let failure = 0; failure < 4; failure++)
        playground.engineFailed("The training worker failed: out of memory.");
    },
  },
};
