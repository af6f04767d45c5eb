/** Settings that move with a slider: gathered for a moment, then sent as one patch. */
import { overlay, type SettingsPatch } from "../../worker/protocol";

/** Milliseconds for which changes are gathered. */
const DELAY = 120;

export class PendingSettings {
  #patch: SettingsPatch | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly send: (patch: SettingsPatch) => void) {}

  add(patch: SettingsPatch): void {
    this.#patch = overlay(this.#patch ?? {}, patch);
    this.#timer ??= setTimeout(() => this.flush(), DELAY);
  }

  /** Send what was gathered now: before a command that should use it. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const patch = this.#patch;
    this.#patch = null;
    if (patch !== null) this.send(patch);
  }
}
