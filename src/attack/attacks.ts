/** The attacks by name, loaded on demand: most need no browser, and the page's needs no policy. */
import { z } from "zod";
import type { Attack } from "./attack";

export const ATTACKS = ["kill", "files", "serve", "page"] as const;
export type AttackName = (typeof ATTACKS)[number];

export const DESCRIPTIONS: Readonly<Record<AttackName, string>> = {
  kill: "kill srpo train at random moments and between write and rename; resume; compare every bit",
  files: "damage checkpoints, data, pictures and runs; every command must refuse them in words",
  serve: "flood srpo serve with slow, many, malformed and non-reading connections while a tab steers",
  page: "reload, crash and starve the page in Chromium",
};

const LOADERS: Readonly<Record<AttackName, () => Promise<Attack>>> = {
  kill: async () => (await import("./kill/kill")).attackKill,
  files: async () => (await import("./files/files")).attackFiles,
  serve: async () => (await import("./serve/serve")).attackServe,
  page: loadPageAttack,
};

export const loadAttack = (name: AttackName): Promise<Attack> => LOADERS[name]();

const pageModule = z.object({ attackPage: z.custom<Attack>((value) => typeof value === "function") });

/** By address: only this attack needs a browser's driver. */
async function loadPageAttack(): Promise<Attack> {
  const module: unknown = await import(new URL("./page.ts", import.meta.url).href);
  return pageModule.parse(module).attackPage;
}
