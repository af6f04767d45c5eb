/** The keyboard in one table: what the page listens to is what the help lists. */
export type Action =
  | "play"
  | "step"
  | "phase"
  | "back"
  | "reset"
  | "nextProblem"
  | "previousProblem"
  | "theme"
  | "help";

export interface Binding {
  readonly keys: string;
  readonly action: Action;
  readonly what: string;
}

export const BINDINGS: readonly Binding[] = [
  { keys: "Space", action: "play", what: "Play or pause training" },
  { keys: "→", action: "step", what: "One whole step, or finish the step under way" },
  { keys: "⇧ →", action: "phase", what: "One phase only: rollout, score, normalise or update" },
  { keys: "←", action: "back", what: "Look back one step" },
  { keys: "R", action: "reset", what: "Back to the start of this run" },
  { keys: "N", action: "nextProblem", what: "Next problem of the step" },
  { keys: "P", action: "previousProblem", what: "Previous problem" },
  { keys: "T", action: "theme", what: "Light or dark" },
  { keys: "?", action: "help", what: "This list" },
];

export interface Pressed {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Null where the key means nothing to the page, or belongs to the browser (any of Ctrl, Meta, Alt). */
export function actionOf(pressed: Pressed): Action | null {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  switch (pressed.key) {
    case " ":
      return "play";
    case "ArrowRight":
      return pressed.shiftKey ? "phase" : "step";
    case "ArrowLeft":
      return pressed.shiftKey ? null : "back";
    case "?":
      return "help";
    default:
      break;
  }
  if (pressed.shiftKey) return null;
  switch (pressed.key.toLowerCase()) {
    case "r":
      return "reset";
    case "n":
      return "nextProblem";
    case "p":
      return "previousProblem";
    case "t":
      return "theme";
    default:
      return null;
  }
}

/** Keys that an element needs for itself: text fields take all, sliders and lists the arrows, buttons the space bar. */
export function ownsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLInputElement) {
    if (target.type === "range") return key.startsWith("Arrow");
    if (target.type === "checkbox" || target.type === "radio") return key === " " || key.startsWith("Arrow");
    return true;
  }
  if (target instanceof HTMLSelectElement) return true;
  if (target.dataset.arrows === "own" && key.startsWith("Arrow")) return true;
  return key === " " && target.closest("button, summary, a, [role=button], [role=tab]") !== null;
}
