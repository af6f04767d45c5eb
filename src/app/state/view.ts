/**
 * What only the page knows: theme, open panels, the step under the cursor, the speed. Kept across visits where it is a
 * taste.
 */

import { z } from "zod";
import { createStore } from "zustand/vanilla";

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
  /** The knobs' sheet on a narrow screen. */
  readonly sheet: boolean;
  /** Step under the cursor, shared by every chart; null when no chart is pointed at. */
  readonly cursor: number | null;
}

const STORAGE_KEY = "srpo-playground/taste";

function readTaste(): Taste {
  const nothing = tasteSchema.parse({});
  try {
    // Outside a browser (tests) there is no storage at all.
    const text = typeof localStorage === "undefined" ? null : localStorage.getItem(STORAGE_KEY);
    const parsed = tasteSchema.safeParse(text === null ? {} : JSON.parse(text));
    return parsed.success ? parsed.data : nothing;
  } catch (error) {
    // Storage may be forbidden or hold something else: the page works the same, with its defaults.
    console.warn("The page's preferences could not be read; using the defaults.", error);
    return nothing;
  }
}

export const view = createStore<ViewState>(() => ({ ...readTaste(), help: false, sheet: false, cursor: null }));

export function setTaste(taste: Partial<Taste>): void {
  view.setState(taste);
  if (typeof localStorage === "undefined") return;
  const { theme, speed, firstLineSeen } = view.getState();
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify({ theme, speed, firstLineSeen }));
  } catch (error) {
    console.warn("The page's preferences could not be kept.", error);
  }
}

/** Resolves "system" and marks the document, so that the style sheet needs one attribute only. */
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
