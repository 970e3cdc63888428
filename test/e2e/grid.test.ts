// Grids of a real project in a browser: walked with the keyboard, read out, filtered, and what is chosen run again.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { runEsteira } from "../setup/command-line.ts";
import { type StartedServer, startServer } from "../setup/started-server.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const FILES: Readonly<Record<string, string>> = {
  "esteira.yaml": "name: grids\nisolation: none\n",
  "pipelines/items.yaml": `steps:
  work: { run: 'test -f fixed || test $(($ESTEIRA_ITEM % 7)) != 3', for_each: [${Array.from({ length: 21 }, (_, at) => at).join()}], fail_fast: false }
`,
  "pipelines/days.yaml": `partitions: { every: day, start: 2026-01-01, end: 2026-01-06 }
steps:
  load: { run: 'true' }
  publish: { run: 'test "$ESTEIRA_PARTITION" != 2026-01-02', needs: load }
`,
};

let browser: Browser;
let server: StartedServer;
let folder: string;
let run = "";

before(async () => {
  if (needsBrowser.skip !== false) return;
  await buildWeb({ quiet: true });
  folder = await mkdtemp(join(tmpdir(), "esteira-grid-"));
  await mkdir(join(folder, "pipelines"));
  for (const [file, text] of Object.entries(FILES)) await writeFile(join(folder, file), text);
  const made = await runEsteira(folder, ["run", "items", "--json"]);
  ({ id: run } = JSON.parse(made.stdout) as { id: string });
  await runEsteira(folder, ["run", "days", "--partition", "..2026-01-03"]);
  await writeFile(join(folder, "fixed"), "");
  server = await startServer(folder);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function open(path: string): Promise<{ readonly page: Page; readonly said: () => Promise<string | null> }> {
  const page = await browser.newPage({ locale: "en-US", bypassCSP: true });
  await page.goto(`${server.url}${path}`, { waitUntil: "domcontentloaded" });
  await page.waitForSelector(".grid-scroll canvas");
  return { page, said: () => page.textContent(".grid-said output") };
}

async function accessibilityProblems(page: Page): Promise<unknown> {
  await page.addScriptTag({ path: AXE });
  return page.evaluate(
    `axe.run(document.querySelector(".grid-scroll").closest("section")).then(({ violations }) => violations.map(({ id }) => id))`,
  );
}

describe("a grid", needsBrowser, () => {
  test("of items is walked to what failed, which is opened, chosen and tried again", async () => {
    const { page, said } = await open(`/runs/${run}`);
    assert.deepEqual(await accessibilityProblems(page), []);
    await page.click(".grid-filter:has-text('Failed')");
    await page.focus(".grid-scroll");
    await page.keyboard.press("ArrowRight");
    assert.equal(await said(), "work, item 4: Failed");
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowRight");
    assert.equal(await said(), "work, item 11: Failed");
    await page.keyboard.press("Space");
    assert.match(await page.innerText(".grid-bar"), /2 chosen/);
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=item=10");
    await page.keyboard.press("Escape");
    await page.click("text=Retry the chosen");
    await page.waitForFunction(
      `document.querySelector(".grid-bar")?.innerText.replaceAll("\\n", " ").includes("Failed 1 ")`,
    );
    await page.close();
  });

  test("of partitions shows which are missing, and makes what is chosen", async () => {
    const { page, said } = await open("/pipelines/days");
    assert.deepEqual(await accessibilityProblems(page), []);
    assert.equal(await said(), "load, 2026-01-05: Not made");
    await page.focus(".grid-scroll");
    await page.keyboard.press("Space");
    await page.click("text=Make the chosen again");
    await page.waitForFunction(`document.querySelector(".grid-said output")?.textContent === "load, 2026-01-05: Done"`);
    await page.focus(".grid-scroll");
    for (const key of ["Home", "ArrowRight", "ArrowDown"]) await page.keyboard.press(key);
    assert.equal(await said(), "publish, 2026-01-02: Failed");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/runs\/[0-9A-Z]{26}\?step=[0-9A-Z]{26}/);
    await page.close();
  });
});
