/**
 * localStorage and sessionStorage where the browser allows them. With cookies blocked, reading the very names throws;
 * a full or forbidden storage costs a preference, never the page.
 */
export interface TextStorage {
  /** Null where nothing is kept. */
  get(key: string): string | null;
  set(key: string, value: string): void;
}

/** @param open names the storage; evaluated at each use, since settings may change while the page is open */
export function guarded(open: () => Pick<Storage, "getItem" | "setItem"> | undefined): TextStorage {
  return {
    get(key) {
      try {
        return open()?.getItem(key) ?? null;
      } catch (error) {
        console.info(`This browser does not give "${key}" back:`, error);
        return null;
      }
    },
    set(key, value) {
      try {
        open()?.setItem(key, value);
      } catch (error) {
        console.info(`This browser does not keep "${key}":`, error);
      }
    },
  };
}

/** Shared by all tabs, and kept. Outside a browser (tests) there is none. */
export const lasting = guarded(() => globalThis.localStorage as Storage | undefined);
/** Of this tab: survives a reload. */
export const ofThisTab = guarded(() => globalThis.sessionStorage as Storage | undefined);
