// Every number that a page shows of the demo's store is computed again, by queries of this test: what no query gives is
// a fault of the page or of the test.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { createAnalytics } from "#data";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { playDemo } from "../setup/demo-store.ts";
import { type StartedServer, startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";
import { authorsSentences, type DemoStore, pagesOf, type PageTruth } from "./figures/demo-pages.ts";
import { readShown } from "./figures/shown-numbers.ts";
import { Metadata } from "./figures/truth.ts";

describe("the figures of the demo's pages", needsBrowser, () => {
  let server: StartedServer;
  let browser: Browser;
  let store: DemoStore;
  let pages: readonly PageTruth[];
  let moments: ReadonlySet<number>;
  let recorded: ReadonlySet<number>;

  before(async () => {
    if (needsBrowser.skip !== false) return;
    await buildWeb({ quiet: true });
    const folder = await playDemo();
    const analytics = createAnalytics({ folder: join(await temporaryFolder(), "spill") });
    const metadata = new Metadata(join(folder, ".esteira/metadata.sqlite"));
    store = { folder, analytics, metadata, datasets: join(folder, ".esteira/datasets") };
    server = await startServer(folder);
    browser = await launchBrowser();
    pages = await pagesOf(store);
    moments = metadata.moments();
    // So many predictions were made at so many times that one of them would be on any day.
    recorded = metadata.moments("prediction");
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    store?.metadata.close();
    store?.analytics.close();
  });

  it("can all be computed again", { timeout: 900_000 }, async () => {
    const context = await browser.newContext({
      locale: "en-US",
      timezoneId: "UTC",
      viewport: { width: 1440, height: 1000 },
      reducedMotion: "reduce",
    });
    const page = await context.newPage();
    const sentences = (await authorsSentences(store.folder)).filter((text) => text.includes(" "));
    const unexplained: string[] = [];
    let [checked, checkedDates] = [0, 0];
    for (const { address, truth } of pages) {
      await open(page, `${server.url}${address}`);
      const { numbers, times, dates } = await readShown(page);
      checked += numbers.length;
      const ours = numbers.filter(
        ({ text }) =>
          !sentences.some((sentence) => text.includes(sentence) || (text.length > 12 && sentence.includes(text))),
      );
      unexplained.push(
        ...ours
          .filter((shown) => truth.explain(shown) === undefined)
          .map(
            (shown) =>
              `${address}: ${shown.value} in "${shown.text}"${shown.around === shown.text ? "" : ` (in: ${shown.around})`}`,
          ),
      );
      checkedDates += dates.length;
      unexplained.push(
        ...dates
          .filter((date) => !truth.hasMoment(date, recorded))
          .map(({ text, around }) => `${address}: the date in "${text}"${around === text ? "" : ` (in: ${around})`}`),
      );
      unexplained.push(
        ...times
          .filter(({ atMs }) => !moments.has(atMs))
          .map(({ text, atMs }) => `${address}: the time ${new Date(atMs).toISOString()} ("${text}")`),
      );
    }
    assert.deepEqual(unexplained, []);
    assert.ok(checkedDates > 20, `only ${checkedDates} dates were found: the pages did not show what they should`);
    assert.ok(checked > 300, `only ${checked} numbers were found: the pages did not show what they should`);
  });
});

/** Opens a page and waits until it shows its data and asks for nothing more. */
async function open(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("main h1").first().waitFor({ timeout: 120_000 });
  await page.waitForFunction("document.querySelector('.skeleton, [aria-busy=true], .loading') === null", undefined, {
    timeout: 120_000,
  });
  let before = "";
  for (;;) {
    const text = (await page.locator("main").textContent()) ?? "";
    if (text === before && text.length > 0) return;
    before = text;
    await page.waitForTimeout(1500);
  }
}
