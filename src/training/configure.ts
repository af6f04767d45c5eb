/** Merging a change into the settings: the one place where a patch from outside meets the schema. */
import { isSection, overlay } from "./overlay";
import { type Settings, type SettingsPatch, settingsSchema } from "./settings";

/** Settings that cannot be used: says which field and why. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * The settings with `patch` merged into them.
 * @throws SettingsError naming the first field that is unknown or invalid.
 */
export function configure(settings: Settings, patch: SettingsPatch): Settings {
  refuseUnknown(settings, patch, "");
  const parsed = settingsSchema.safeParse(overlay(settings, patch));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SettingsError(`settings: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`);
}

/**
 * The same for a run that is open, some of whose settings are fixed.
 * @throws SettingsError, and for a setting that is fixed, saying why
 */
export function configureOpenRun(settings: Settings, patch: SettingsPatch): Settings {
  const next = configure(settings, patch);
  if (next.freezeVision !== settings.freezeVision)
    throw new Error(
      "settings: freezeVision is fixed when a run opens (it decides which parameters have gradients); reopen the " +
        "run to change it",
    );
  if (JSON.stringify(next.reflectionForm) !== JSON.stringify(settings.reflectionForm))
    throw new Error(
      "settings: reflectionForm is fixed when a run opens (its reflection data and its policy follow one form); " +
        "open a new run to change it",
    );
  return next;
}

function refuseUnknown(base: object, patch: object, path: string): void {
  for (const [key, value] of Object.entries(patch)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (!Object.hasOwn(base, key))
      throw new SettingsError(`settings: there is no "${at}"; known here: ${Object.keys(base).join(", ")}`);
    const under: unknown = (base as Record<string, unknown>)[key];
    if (isSection(under) && isSection(value)) refuseUnknown(under, value, at);
  }
}
