/** The keyboard shortcuts, for the page and its help. */
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
  { keys: "→", action: "step", what: "Take one step, or finish the current one" },
  { keys: "⇧ →", action: "phase", what: "Run one phase: rollout, score, normalise or update" },
  { keys: "←", action: "back", what: "Look back one step" },
  { keys: "R", action: "reset", what: "Reset to the start of this run" },
  { keys: "N", action: "nextProblem", what: "Next problem of this step" },
  { keys: "P", action: "previousProblem", what: "Previous problem" },
  { keys: "T", action: "theme", what: "Light or dark theme" },
  { keys: "?", action: "help", what: "Show this help" },
];

export interface Pressed {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Null for other keys, and with Ctrl, Meta or Alt, which belong to the browser. */
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

/** Keys that an element handles itself: text fields all, sliders and lists the arrows, buttons the space bar. */
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
