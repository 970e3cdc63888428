import { existsSync } from "node:fs";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** Path of a Chromium on this machine, or undefined. `ESTEIRA_TEST_BROWSER` wins. */
export function findBrowser(): string | undefined {
  return [process.env["ESTEIRA_TEST_BROWSER"], ...PLACES].find((path) => path !== undefined && existsSync(path));
}
