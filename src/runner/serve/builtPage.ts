/** The built page: the files of `dist`, known by name before anybody asks, so that no address can lead anywhere else. */
import { readdir, readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { UsageError } from "../arguments/usage";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
  ".jinja": "text/plain; charset=utf-8",
  ".safetensors": "application/octet-stream",
};

/** A token stands in the page's address: nothing may carry it on, and no other page may hold this one in a frame. */
const HEADERS = {
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
  "Content-Security-Policy": "frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
} as const;

export class BuiltPage {
  private constructor(private readonly files: ReadonlyMap<string, string>) {}

  /** @throws UsageError where the page has not been built */
  static async open(directory: string): Promise<BuiltPage> {
    const files = new Map(
      (await listed(directory)).map((path) => [`/${relative(directory, path).split(sep).join("/")}`, path]),
    );
    const index = files.get("/index.html");
    if (index === undefined)
      throw new UsageError(`${directory}/index.html is missing: expected the folder of a built page (npm run build)`);
    return new BuiltPage(files.set("/", index));
  }

  /** Answers one request; the Host has been checked. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "only GET and HEAD");
    const path = this.files.get((request.url ?? "").replace(/[?#].*$/s, ""));
    if (path === undefined) return refuse(response, 404, "there is no such file");
    const bytes = await readFile(path);
    response.writeHead(200, {
      ...HEADERS,
      "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
      "Content-Length": bytes.length,
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  }
}

export function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { ...HEADERS, "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
  response.end(`${why}\n`);
}

async function listed(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true, recursive: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    throw new UsageError(
      `${directory}: expected the folder of a built page (npm run build): ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
