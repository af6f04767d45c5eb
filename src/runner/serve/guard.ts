/**
 * Who may join a served run: a page that this very server gave out, opened by the link that it printed. Any site in the
 * same browser can open a socket to 127.0.0.1, hence the Origin; a name that is made to resolve to 127.0.0.1 makes a
 * foreign site look like this one, hence the Host; other users of the machine can reach the port, hence the token.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";

/** 128 bits in base64url: 22 characters that an address and a subprotocol may hold. */
export const newToken = (): string => randomBytes(16).toString("base64url");

/** Compares digests, so that neither content nor length shows in the time it takes. */
export function sameToken(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** The names that this server answers to. */
const hosts = (port: number): readonly string[] => [`127.0.0.1:${port}`, `localhost:${port}`];

/** Null for this server's own name, else why not: another name that resolves to 127.0.0.1 is DNS rebinding. */
export function wrongHost(host: string | undefined, port: number): string | null {
  if (host !== undefined && hosts(port).includes(host.toLowerCase())) return null;
  return (
    `Host ${quoted(host)}; expected ${hosts(port).join(" or ")} (another name for this address may be a DNS ` +
    "rebinding attack)"
  );
}

/** Null for a page of this server, else why not. */
export function foreignOrigin(origin: string | undefined, port: number): string | null {
  if (origin !== undefined && hosts(port).some((host) => origin.toLowerCase() === `http://${host}`)) return null;
  return `Origin ${quoted(origin)}; expected ${hosts(port)
    .map((host) => `http://${host}`)
    .join(" or ")}`;
}

/** The token among the subprotocols that a socket asks for; null where there is none or the protocol is another. */
export function offeredToken(protocols: string | undefined): string | null {
  const offered = (protocols ?? "").split(",").map((each) => each.trim());
  if (!offered.includes(SUBPROTOCOL)) return null;
  return offered.find((each) => each.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length) ?? null;
}

/** A stranger's words for the terminal: no control characters, not longer than a line. */
export const quoted = (text: string | undefined): string =>
  text === undefined ? "missing" : JSON.stringify(text.slice(0, 80)).replaceAll(/[^\x20-\x7e]/g, "?");
