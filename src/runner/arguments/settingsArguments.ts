/** Settings from the command line. */
import { configure } from "../../training/configure";
import { defaultSettings, type Settings } from "../../training/settings";
import type { Arguments } from "./usage";

/** Default settings with --set and --section flags, and --seed, merged into them. */
export function settingsOf(args: Arguments, base: Settings = defaultSettings): Settings {
  const settings = configure(base, args.settings);
  return args.optional("seed") === null ? settings : { ...settings, seed: args.integer("seed", 0) };
}
