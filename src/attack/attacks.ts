/** The attacks by name, loaded on demand: most need no browser, and the page's needs no policy. */
import { z } from "zod";
import type { Attack } from "./attack";

export const ATTACKS = ["page"] as const;
export type AttackName = (typeof ATTACKS)[number];

export const DESCRIPTIONS: Readonly<Record<AttackName, string>> = {
  page: "reload, crash and starve the page in Chromium",
};

const LOADERS: Readonly<Record<AttackName, () => Promise<Attack>>> = {
  page: loadPageAttack,
};

export const loadAttack = (name: AttackName): Promise<Attack> => LOADERS[name]();

const pageModule = z.object({ attackPage: z.custom<Attack>((value) => typeof value === "function") });

/** By address: only this attack needs a browser's driver. */
async function loadPageAttack(): Promise<Attack> {
  const module: unknown = await import(new URL("./page.ts", import.meta.url).href);
  return pageModule.parse(module).attackPage;
}
