/** Merging a change into the settings: the one place where a patch from outside meets the schema. */
import { type Settings, type SettingsPatch, settingsSchema } from "./settings";

/** Settings that cannot be used: says which field and why. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * The settings with `patch` laid over them, one level deep for sections and for the reward's tiers.
 * @throws SettingsError naming the first field that is unknown or invalid.
 */
export function configure(settings: Settings, patch: SettingsPatch): Settings {
  const parsed = settingsSchema.safeParse(merged(settings, patch, ""));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SettingsError(`settings: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`);
}

function merged(base: unknown, patch: unknown, path: string): unknown {
  if (!isSection(base) || !isSection(patch)) return patch;
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (!(key in base))
      throw new SettingsError(`settings: there is no "${at}"; known here: ${Object.keys(base).join(", ")}`);
    if (value !== undefined) out[key] = merged(base[key], value, at);
  }
  return out;
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
