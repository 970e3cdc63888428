import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { NotebookVersion } from "#api";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { recorded, recordedAnswer } from "../web/fixture/recorded.ts";
import { startFixtureServer } from "../web/fixture/server.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const NODE_FLAG = "--disable-warning=ExperimentalWarning";

const PIPELINE = `description: A few rows on the belt
steps:
  raw_trips:
    capture: { files: "data/*.csv" }
    contract: contracts/trips.yaml
  trips: { sql: sql/trips.sql }
  note: { run: "for i in 1 2 3; do echo line $i; done" }
`;
const CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: trips
name: trips
version: 1.0.0
status: active
schema:
  - name: raw_trips
    logicalType: object
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: minutes, logicalType: integer, logicalTypeOptions: { minimum: 0 } }
`;

let browser: Browser;
let folder: string;
let server: { readonly url: string; readonly child: ChildProcess };
const fixtures: { close(): Promise<void>; readonly url: string }[] = [];

before(async () => {
  if (needsBrowser.skip !== false) return;
  await buildWeb({ quiet: true });
  folder = await mkdtemp(join(tmpdir(), "esteira-web-"));
  await writeProject(folder);
  server = await startServer(folder);
  fixtures.push(await startFixtureServer("filled"), await startFixtureServer("empty"));
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  for (const fixture of fixtures) await fixture.close();
  server?.child.kill("SIGTERM");
  if (server?.child.exitCode === null) await once(server.child, "exit");
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function writeProject(place: string): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    "esteira.yaml": "name: trips\n",
    "pipelines/trips.yaml": PIPELINE,
    "contracts/trips.yaml": CONTRACT,
    "sql/trips.sql": "SELECT id, minutes FROM raw_trips WHERE minutes > 10\n",
    "data/trips.csv": [
      "id,minutes",
      ...Array.from({ length: 200 }, (_, index) => `${index},${index % 60}`),
      "200,-5",
      "",
    ].join("\n"),
  };
  for (const [file, text] of Object.entries(files)) {
    await mkdir(join(place, file, ".."), { recursive: true });
    await writeFile(join(place, file), text);
  }
}

async function startServer(place: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [NODE_FLAG, join(ROOT, "src/cli/main.ts"), "up", "--port", "0"], {
    cwd: place,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const { promise, resolve: found, reject } = Promise.withResolvers<string>();
  const onOutput = (piece: Buffer): void => {
    output += piece.toString();
    const url = /http:\/\/[\d.]+:\d+/.exec(output)?.[0];
    if (url !== undefined) found(url);
  };
  child.stdout.on("data", onOutput);
  child.stderr.on("data", onOutput);
  child.once("exit", () => reject(new Error(`the server did not start: ${output}`)));
  return { url: await promise, child };
}

/** A page that fails the test when the browser complains. */
async function open(
  url: string,
  language = "en-US",
): Promise<{ readonly page: Page; readonly context: BrowserContext; readonly complaints: readonly string[] }> {
  const context = await browser.newContext({
    locale: language,
    viewport: { width: 1360, height: 860 },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    // The sandbox that holds a user's HTML says so when it stops a script: that is its task.
    if (message.type() === "error" && !message.text().includes("about:srcdoc")) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  return { page, context, complaints };
}

async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  const found = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          context: object,
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
      };
    };
    const { violations: all } = await axe.run(
      { exclude: ["iframe"] },
      {
        runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"],
        rules: {
          "label-content-name-mismatch": { enabled: true },
          "landmark-unique": { enabled: true },
          "target-size": { enabled: true },
        },
        iframes: false,
      },
    );
    return all.map(
      ({ id, nodes }) =>
        `${id}: ${nodes[0]?.html.slice(0, 160) ?? ""} ${nodes[0]?.failureSummary?.replace(/\s+/g, " ").slice(0, 200) ?? ""}`,
    );
  });
  return found;
}

describe("the web page on a real server", needsBrowser, () => {
  test("a pipeline is run from its page, and the page follows it to the end", async () => {
    const { page, context, complaints } = await open(`${server.url}/pipelines/trips`);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    await page.getByRole("heading", { level: 1 }).getByText("Done").waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: /^note/ }).last().click();
    await page.getByRole("log").getByText("line 3").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("the dataset shows its columns, its rows, and the row that its contract kept out", async () => {
    const { page, context, complaints } = await open(`${server.url}/datasets/raw_trips`);
    await page.getByRole("tab", { name: /Quarantine/ }).click();
    await page.getByText("trips.csv").first().waitFor();
    await page.getByText("line 202").waitFor();
    assert.deepEqual(await page.locator("mark.broken").allInnerTexts(), ["-5"]);
    await page.getByRole("button", { name: "Discard…" }).click();
    await page.getByRole("dialog").getByLabel("Why").fill("a test of the meter");
    await page.getByRole("dialog").getByRole("button", { name: "Discard…" }).click();
    await page.getByRole("cell", { name: "Discarded" }).waitFor();
    await page.getByRole("tab", { name: "Rows" }).click();
    await page.getByText("Rows 1 to 200 of 200").waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("the browser's language is taken, and the switch is remembered", async () => {
    const { page, context } = await open(server.url, "pt-BR");
    await page.getByRole("heading", { name: "O ciclo" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "pt-BR");
    await page.getByRole("button", { name: "English" }).first().click();
    await page.getByRole("heading", { name: "The cycle" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "The cycle" }).waitFor();
    await context.close();
  });

  test("everything is reached by keyboard: skip link, shortcuts, stations", async () => {
    const { page, context } = await open(server.url);
    await page.getByRole("heading", { name: "The cycle" }).waitFor();
    await page
      .getByRole("link", { name: /Capture/ })
      .first()
      .waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.match(await page.evaluate<string>("document.activeElement.textContent"), /Capture/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForURL(/\/datasets$/);
    assert.equal(
      await page.evaluate(`document.querySelectorAll("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").length`),
      0,
    );
    await context.close();
  });

  test("what is not there is told with its code", async () => {
    const { page, context } = await open(`${server.url}/datasets/nothing`);
    await page
      .getByRole("alert")
      .getByText(/^[A-Z]+_[A-Z_]+$/)
      .waitFor();
    await context.close();
  });
});

describe("the pages of a full project", needsBrowser, () => {
  const { running: run, runningStep, failed, notebook, prediction } = recorded.subjects;
  const paths = [
    "/",
    "/pipelines",
    "/pipelines?tab=runs",
    "/pipelines/delay?step=delay",
    `/runs/${run}`,
    `/runs/${run}?step=${runningStep}`,
    `/runs/${failed}`,
    "/datasets",
    "/datasets/raw_flights",
    "/datasets/raw_flights?tab=rows",
    "/datasets/raw_flights?tab=versions",
    "/datasets/raw_flights?tab=quarantine",
    "/datasets/raw_flights?tab=lineage",
    "/dashboards",
    "/dashboards/delays",
    "/models",
    "/models/delay",
    "/models/delay/2",
    "/models/delay/2?tab=verdict",
    "/models/delay/2?tab=lineage",
    `/notebooks/${notebook}`,
    "/endpoints",
    "/endpoint/production/delay",
    "/endpoint/production/delay?tab=predictions",
    "/endpoint/production/delay?tab=history",
    `/predictions/${prediction}`,
    "/alerts",
    "/alerts?tab=monitors",
    "/releases",
    "/approvals",
  ];

  test("no page makes the browser complain, and none breaks WCAG 2.2 AA, in light and in dark", async () => {
    const problems = new Set<string>();
    const inDark = paths.filter((path) =>
      [
        "/",
        "/pipelines/delay?step=delay",
        "/models/delay/2?tab=verdict",
        "/endpoint/production/delay",
        "/approvals",
        `/notebooks/${notebook}`,
      ].includes(path),
    );
    for (const [scheme, language, chosen] of [
      ["light", "en-US", paths],
      ["light", "pt-BR", paths],
      ["dark", "en-US", inDark],
    ] as const) {
      const { page, context, complaints } = await open(fixtures[0]?.url ?? "", language);
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      for (const path of chosen) {
        await page.goto(`${fixtures[0]?.url ?? ""}${path}`);
        await page.locator("h1").waitFor();
        await page.locator(".waiting").first().waitFor({ state: "detached" });
        for (const violation of await violations(page)) problems.add(`${scheme} ${language} ${path} ${violation}`);
      }
      for (const complaint of complaints) problems.add(complaint);
      await context.close();
    }
    assert.deepEqual([...problems], []);
  });

  test("twelve thousand rows are shown without being in the page", async () => {
    const { page, context } = await open(`${fixtures[0]?.url ?? ""}/endpoint/production/delay?tab=predictions`);
    await page.getByRole("table", { name: "Predictions" }).waitFor();
    assert.equal(await page.getByRole("table").getAttribute("aria-rowcount"), "12001");
    assert.ok((await page.getByRole("row").count()) < 80);
    await context.close();
  });

  test("a user's HTML runs in a sandbox that can do nothing", async () => {
    const { page, context } = await open(fixtures[0]?.url ?? "");
    // The recorded notebook, with an output that somebody hostile wrote.
    const recordedNotebook = recordedAnswer<NotebookVersion>(`/notebooks/${notebook}`);
    const hostile = {
      kind: "html",
      mimeType: "text/html",
      data: "<h1>Report</h1><script>parent.document.title = 'broken'</script>",
    };
    const cells = recordedNotebook.cells.map((cell, index) =>
      index === recordedNotebook.cells.findIndex(({ type }) => type === "code")
        ? { ...cell, outputs: [hostile] }
        : cell,
    );
    await page.route(`**/api/v1/notebooks/${notebook}*`, (route) =>
      route.fulfill({ json: { ...recordedNotebook, cells } }),
    );
    await page.goto(`${fixtures[0]?.url ?? ""}/notebooks/${notebook}`);
    await page.locator("iframe").waitFor();
    assert.equal(await page.locator("iframe").getAttribute("sandbox"), "");
    assert.match(await page.title(), /esteira$/);
    await context.close();
  });

  test("a refused command says why and what to do", async () => {
    const { page, context } = await open(`${fixtures[0]?.url ?? ""}/runs/${run}`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page
      .getByRole("dialog")
      .getByText((recorded.refusal.body as { error: { code: string } }).error.code)
      .waitFor();
    await context.close();
  });
});

describe("the pages of an empty project", needsBrowser, () => {
  test("every page says what it would show and what to do for it, in both languages", async () => {
    for (const language of ["en-US", "pt-BR"]) {
      const { page, context, complaints } = await open(fixtures[1]?.url ?? "", language);
      for (const path of [
        "/",
        "/pipelines",
        "/datasets",
        "/dashboards",
        "/models",
        "/endpoints",
        "/alerts",
        "/releases",
        "/approvals",
      ]) {
        await page.goto(`${fixtures[1]?.url ?? ""}${path}`);
        await page.locator(".empty h2").waitFor();
      }
      assert.deepEqual(complaints, []);
      await context.close();
    }
  });
});
