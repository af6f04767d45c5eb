/**
 * Who may join a served run: only this server's own page, opened by the link that it printed. We check the Origin,
 * since any site in the same browser can open a socket to 127.0.0.1; the Host, since a foreign name can resolve to
 * 127.0.0.1 (DNS rebinding); and the token, since other users of the machine can reach the port.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";

/** 128 bits in base64url: 22 characters that an address and a subprotocol may hold. */
export const newToken = (): string => randomBytes(16).toString("base64url");

/** Compares digests, so the time reveals neither content nor length. */
export function sameToken(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** The host names of this server. */
const hosts = (port: number): readonly string[] => [`127.0.0.1:${port}`, `localhost:${port}`];

/** Null for this server's own name, else what is wrong: another name that resolves here is DNS rebinding. */
export function wrongHost(host: string | undefined, port: number): string | null {
  if (host !== undefined && hosts(port).includes(host.toLowerCase())) return null;
  return (
    `Host ${quoted(host)}; expected ${hosts(port).join(" or ")} (another name for this address may be a DNS ` +
    "rebinding attack)"
  );
}

/** Null for a page of this server, else what is wrong. */
export function foreignOrigin(origin: string | undefined, port: number): string | null {
  if (origin !== undefined && hosts(port).some((host) => origin.toLowerCase() === `http://${host}`)) return null;
  return `Origin ${quoted(origin)}; expected ${hosts(port)
    .map((host) => `http://${host}`)
    .join(" or ")}`;
}

/** The token among the requested subprotocols; null without one, or for another protocol. */
export function offeredToken(protocols: string | undefined): string | null {
  const offered = (protocols ?? "").split(",").map((each) => each.trim());
  if (!offered.includes(SUBPROTOCOL)) return null;
  return offered.find((each) => each.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length) ?? null;
}

/** Untrusted text for the terminal: one short line without control characters. */
export const quoted = (text: string | undefined): string =>
  text === undefined ? "missing" : JSON.stringify(text.slice(0, 80)).replaceAll(/[^\x20-\x7e]/g, "?");

/** Longest line for the terminal. */
const LONGEST = 1000;

/** A message of the run for the terminal: it may quote what a tab has sent, at any length. */
export const printable = (message: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is those that are replaced.
  `${message.slice(0, LONGEST)}${message.length > LONGEST ? "…" : ""}`.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?");
