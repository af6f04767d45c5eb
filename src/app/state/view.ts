/** State of the page itself: theme, open panels, the step under the cursor, speed. Preferences are stored. */

import { z } from "zod";
import { createStore } from "zustand/vanilla";
import type { RecipeName } from "../../srpo/recipe";
import { lasting } from "./browserStorage";

export const SPEEDS = [
  { name: "slow", label: "Slow motion", delay: 1200 },
  { name: "calm", label: "Phase by phase", delay: 350 },
  { name: "full", label: "Full speed", delay: 0 },
] as const;
export type SpeedName = (typeof SPEEDS)[number]["name"];

const tasteSchema = z.object({
  theme: z.enum(["system", "light", "dark"]).catch("system"),
  speed: z.enum(["slow", "calm", "full"]).catch("full"),
  firstLineSeen: z.boolean().catch(false),
});
type Taste = z.output<typeof tasteSchema>;

export interface ViewState extends Taste {
  readonly help: boolean;
  /** The sheet of knobs on a narrow screen. */
  readonly sheet: boolean;
  /** The recipe on show in the dialog of recipes; null: closed. */
  readonly recipes: RecipeName | null;
  /** Step under the cursor, shared by all charts; null without a cursor. */
  readonly cursor: number | null;
}

const STORAGE_KEY = "srpo-playground/taste";

function readTaste(): Taste {
  const text = lasting.get(STORAGE_KEY);
  try {
    return tasteSchema.parse(text === null ? {} : JSON.parse(text));
  } catch (error) {
    console.warn("The page's preferences are damaged; using the defaults.", error);
    return tasteSchema.parse({});
  }
}

export const view = createStore<ViewState>(() => ({
  ...readTaste(),
  help: false,
  sheet: false,
  recipes: null,
  cursor: null,
}));

export function setTaste(taste: Partial<Taste>): void {
  view.setState(taste);
  const { theme, speed, firstLineSeen } = view.getState();
  lasting.set(STORAGE_KEY, JSON.stringify({ theme, speed, firstLineSeen }));
}

/** Resolve "system" and set the document's theme attribute. */
export function applyTheme(): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (): void => {
    const { theme } = view.getState();
    document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  };
  apply();
  dark.addEventListener("change", apply);
  const stop = view.subscribe(apply);
  return () => {
    dark.removeEventListener("change", apply);
    stop();
  };
}
