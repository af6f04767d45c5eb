/** The built page on a free local port, and a headless Chromium to open it in. */
import { type Browser, chromium, type Page } from "playwright-core";
import { preview } from "vite";
import { builtPage } from "../../src/runner/serve/buildPage";
import { browserFlags, findOrInstallBrowser } from "./browser";

export interface Site {
  readonly url: string;
  readonly browser: Browser;
  close(): Promise<void>;
}

export interface SiteOptions {
  /** With WebGPU on SwiftShader, or with none. */
  readonly webgpu: boolean;
  /** Path the page is served under, "/" by default. */
  readonly path?: string;
}

/** Serves the page, built where it is missing, and starts Chromium. */
export async function openSite(options: SiteOptions): Promise<Site> {
  builtPage((line) => void process.stderr.write(`${line}\n`));
  const server = await preview({
    base: options.path ?? "/",
    preview: { host: "127.0.0.1", port: 0, strictPort: false },
    logLevel: "error",
  });
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error("The preview server gave no address.");
  const browser = await chromium.launch({
    executablePath: findOrInstallBrowser(),
    headless: true,
    args: browserFlags(options.webgpu),
  });
  return {
    url,
    browser,
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

/** Fails the test that ends with errors on the page's console; returns what was seen so far. */
export function watchErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  return errors;
}
