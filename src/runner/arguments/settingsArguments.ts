/** Settings from the command line. */
import { configure } from "../../training/configure";
import { defaultSettings, type Settings } from "../../training/settings";
import type { Arguments } from "./usage";

/** The default settings with --set, --section flags and --seed merged in. */
export function settingsOf(args: Arguments, base: Settings = defaultSettings): Settings {
  const settings = configure(base, args.settings);
  return args.optional("seed") === null ? settings : { ...settings, seed: args.integer("seed", 0) };
}
