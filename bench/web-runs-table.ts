/**
 * The runs table of the web pages with 100,000 runs of 20 metrics and 10 params, in Chromium against a real server on
 * SQLite.
 *
 * Prints one JSON line: time to the first rows from opening the address (ms), from a sort and from a filter to their
 * rows (ms), frames while scrolling through the loaded rows (median and 95th percentile of the time between two, ms),
 * rows in the page at most, time to load 5,000 rows by scrolling (ms), and time to the chart of a metric of 1,000,000
 * points (ms).
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { buildWeb } from "../scripts/build-web.ts";
import { launchBrowser } from "../test/setup/browser.ts";
import { startServer } from "../test/setup/started-server.ts";
import { fillExperiment, logHistory } from "../test/setup/tracking-content.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "100000" }, points: { type: "string", default: "1000000" } },
});
const runCount = Number(values.runs);
const pointCount = Number(values.points);
const SCROLLED_ROWS = 5000;

/** Runs in the page: scrolls 400 px per frame until enough rows came, and measures the time between frames. */
const SCROLL = `(async () => {
  const box = document.querySelector(".runs-scroll");
  const times = [];
  let mostRows = 0;
  const from = performance.now();
  let last = from;
  while (box.scrollTop < ${SCROLLED_ROWS} * 36 - 1000 && performance.now() - from < 60000) {
    box.scrollTop += 400;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    const now = performance.now();
    times.push(now - last);
    last = now;
    mostRows = Math.max(mostRows, document.querySelectorAll(".runs-row").length);
  }
  times.sort((left, right) => left - right);
  const at = (share) => Math.round(times[Math.floor(times.length * share)] * 10) / 10;
  return { scrolledRows: Math.round(box.scrollTop / 36), scrollMs: Math.round(last - from), frameMsMedian: at(0.5), frameMsP95: at(0.95), rowsInPageAtMost: mostRows };
})()`;

await buildWeb({ quiet: true });
const folder = await mkdtemp(join(tmpdir(), "esteira-bench-web-"));
await writeFile(join(folder, "esteira.yaml"), "name: bench\n");
const server = await startServer(folder);
const started = performance.now();
const contentOf = (index: number) => ({
  metrics: Object.fromEntries(
    Array.from({ length: 20 }, (_, key) => [`metric_${key}`, ((index * 7919 + key * 104_729) % 100_003) / 100_003]),
  ),
  params: Object.fromEntries(
    Array.from({ length: 10 }, (_, key) => [`param_${key}`, String((index * (key + 3)) % 17)]),
  ),
  tags: { team: index % 2 === 0 ? "ops" : "data" },
});
const { experimentId, runIds } = await fillExperiment(server.url, { name: "bench", runCount, contentOf });
await logHistory(server.url, runIds[0] ?? "", { key: "long", pointCount, valueAt: (step) => Math.sin(step / 50_000) });
const fillSeconds = (performance.now() - started) / 1000;

const browser = await launchBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  const firstRowsMs = await timed(page, () => page.goto(`${server.url}/experiments/${experimentId}`), "run 0");
  const scroll = await page.evaluate<object>(SCROLL);
  const sortMs = await timed(page, () =>
    page.goto(`${server.url}/experiments/${experimentId}?sort=metric.metric_3%3Adesc`),
  );
  const filterMs = await timed(page, () =>
    page.goto(
      `${server.url}/experiments/${experimentId}?q=${encodeURIComponent("metrics.metric_1 > 0.9 AND params.param_2 = '4'")}`,
    ),
  );
  const chart = performance.now();
  await page.goto(`${server.url}/experiments/run/${runIds[0] ?? ""}?tab=metrics&metric=long`);
  await page.getByText(/^Sampled|^All/).waitFor();
  const chartMs = performance.now() - chart;
  const round = (value: number): number => Math.round(value * 10) / 10;
  console.log(
    JSON.stringify({
      runCount,
      pointCount,
      fillSeconds: round(fillSeconds),
      firstRowsMs: round(firstRowsMs),
      sortMs: round(sortMs),
      filterMs: round(filterMs),
      ...scroll,
      chartMs: round(chartMs),
    }),
  );
} finally {
  await browser.close();
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** From the start of an action to rows on the page. */
async function timed(page: Page, act: () => Promise<unknown>, name?: string): Promise<number> {
  const from = performance.now();
  await act();
  await (
    name === undefined ? page.locator(".runs-name").first() : page.getByRole("link", { name, exact: true })
  ).waitFor();
  return performance.now() - from;
}
