/** The whole page, and its keyboard shortcuts. */
import { useEffect, useSyncExternalStore } from "react";
import { Curves } from "../curves/Curves";
import { Header, toggleTheme } from "../header/Header";
import { Help } from "../header/Help";
import { WhyCard } from "../parts/Why";
import { RecipeDialog } from "../recipes/RecipeDialog";
import { shown } from "../state/groups";
import { usePlayground } from "../state/hooks";
import { type Action, actionOf, ownsKey } from "../state/keyboard";
import type { PlaygroundController } from "../state/playgroundController";
import { canSteer } from "../state/run";
import { applyTheme, view } from "../state/view";
import { Timeline } from "../timeline/Timeline";
import { FirstLine } from "./FirstLine";
import { KeepingLine } from "./KeepingLine";
import { KnobSheet, Knobs } from "./Knobs";
import { Middle } from "./Middle";
import { Notices } from "./Notices";

function act(playground: PlaygroundController, action: Action): void {
  const turn = (by: number): void =>
    playground.live.groups.change((state) => {
      const count = shown(state)?.groups.length ?? 1;
      return { ...state, selectedGroup: (Math.min(state.selectedGroup, count - 1) + by + count) % count };
    });
  switch (action) {
    case "help":
      view.setState((state) => ({ help: !state.help }));
      return;
    case "theme":
      toggleTheme();
      return;
    case "nextProblem":
      turn(1);
      return;
    case "previousProblem":
      turn(-1);
      return;
    case "back":
      playground.back();
      return;
    case "play":
    case "step":
    case "phase":
    case "reset":
      break;
    default:
      action satisfies never;
  }
  if (!canSteer(playground.live.run.store.getState())) return;
  if (action === "play") playground.togglePlay();
  else if (action === "reset") playground.reset();
  else if (action === "step") playground.step();
  else playground.phase();
}

const narrow = matchMedia("(max-width: 1023px)");
const useNarrow = (): boolean =>
  useSyncExternalStore(
    (listen) => {
      narrow.addEventListener("change", listen);
      return () => narrow.removeEventListener("change", listen);
    },
    () => narrow.matches,
  );

export function Page() {
  const playground = usePlayground();
  const isNarrow = useNarrow();
  useEffect(applyTheme, []);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const action = actionOf(event);
      if (action === null || ownsKey(event.target, event.key) || document.querySelector("dialog[open]") !== null)
        return;
      event.preventDefault();
      act(playground, action);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [playground]);
  return (
    <div className="page">
      <Header />
      <FirstLine />
      <KeepingLine />
      <Notices />
      <div className="columns">
        {!isNarrow && <Knobs />}
        <Middle />
        <Curves />
      </div>
      <Timeline />
      <Help />
      <RecipeDialog />
      {isNarrow && <KnobSheet />}
      <WhyCard />
    </div>
  );
}
