/** Before the tests of the page: the page is built, and there is a Chromium to open it in. */
import { findOrInstallBrowser } from "../e2e/setup/browser";
import { buildPage } from "../src/runner/serve/buildPage";

export default function setup(): void {
  const browser = findOrInstallBrowser();
  process.env.SRPO_BROWSER = browser;
  process.stderr.write(`Browser: ${browser}\nBuilding the page …\n`);
  buildPage();
}
