/** The whole page on one screen, and the keyboard that drives it. */
import { useEffect, useSyncExternalStore } from "react";
import { Curves } from "../curves/Curves";
import { Header, toggleTheme } from "../header/Header";
import { Help } from "../header/Help";
import { WhyCard } from "../parts/Why";
import { shown } from "../state/groups";
import { useSession } from "../state/hooks";
import { type Action, actionOf, ownsKey } from "../state/keyboard";
import { canSteer } from "../state/run";
import type { Session } from "../state/session";
import { applyTheme, view } from "../state/view";
import { Timeline } from "../timeline/Timeline";
import { FirstLine } from "./FirstLine";
import { KnobSheet, Knobs } from "./Knobs";
import { Middle } from "./Middle";
import { Notices } from "./Notices";

function act(session: Session, action: Action): void {
  const turn = (by: number): void =>
    session.live.groups.change((state) => {
      const count = shown(state)?.groups.length ?? 1;
      return { ...state, chosen: (Math.min(state.chosen, count - 1) + by + count) % count };
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
      session.back();
      return;
    case "play":
    case "step":
    case "phase":
    case "reset":
      break;
    default:
      action satisfies never;
  }
  if (!canSteer(session.live.run.store.getState())) return;
  if (action === "play") session.togglePlay();
  else if (action === "reset") session.reset();
  else if (action === "step") session.step();
  else session.phase();
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
  const session = useSession();
  const isNarrow = useNarrow();
  useEffect(applyTheme, []);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const action = actionOf(event);
      if (action === null || ownsKey(event.target, event.key) || document.querySelector("dialog[open]") !== null)
        return;
      event.preventDefault();
      act(session, action);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [session]);
  return (
    <div className="page">
      <Header />
      <FirstLine />
      <Notices />
      <div className="columns">
        {!isNarrow && <Knobs />}
        <Middle />
        <Curves />
      </div>
      <Timeline />
      <Help />
      {isNarrow && <KnobSheet />}
      <WhyCard />
    </div>
  );
}
