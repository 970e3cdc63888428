import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { type StartedServer, startServer } from "../setup/started-server.ts";
import { type FilledExperiment, fillExperiment, logHistory, mlflowCaller } from "../setup/tracking-content.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const ROOT = resolve(import.meta.dirname, "../..");
const RUNS = 260;

let browser: Browser;
let folder: string;
let server: StartedServer;
let filled: FilledExperiment;
let first: string;

before(async () => {
  if (needsBrowser.skip !== false) return;
  await buildWeb({ quiet: true });
  folder = await mkdtemp(join(tmpdir(), "esteira-mlflow-pages-"));
  await writeProject();
  server = await startServer(folder);
  const contentOf = (index: number) => ({
    metrics: { loss: index / 100, "val/auc": 0.9 - index / 1000 },
    params: { lr: String(0.001 * (1 + (index % 5))), model: ["tree", "linear"][index % 2] ?? "" },
    tags: { team: index % 2 === 0 ? "ops" : "data" },
  });
  filled = await fillExperiment(server.url, { name: "delays", runCount: RUNS, contentOf });
  first = filled.runIds[0] ?? "";
  await logHistory(server.url, first, { key: "long", pointCount: 5000, valueAt: (step) => Math.sin(step / 300) });
  await putArtifacts();
  const call = mlflowCaller(server.url);
  await call("registered-models/create", { name: "delay", description: "Says who is **late**" });
  for (let version = 1; version <= 2; version++)
    await call("model-versions/create", { name: "delay", source: `runs:/${first}/model`, run_id: first });
  await call("registered-models/alias", { name: "delay", alias: "candidate", version: "1" });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A project whose pipeline makes a model, and has made it. */
async function writeProject(): Promise<void> {
  const models = join(ROOT, "test/serving/models");
  const { model } = JSON.parse(await readFile(join(models, "late-by-matrix.json"), "utf8")) as {
    readonly model: object;
  };
  await mkdir(join(folder, "pipelines"));
  await mkdir(join(folder, "trained"));
  await writeFile(join(folder, "esteira.yaml"), "name: pages\n");
  await writeFile(
    join(folder, "pipelines/train.yaml"),
    'steps:\n  late: { run: "mkdir -p made && cp trained/* made/", makes: { model: made } }\n',
  );
  await writeFile(join(folder, "trained/model.json"), JSON.stringify(model));
  await copyFile(join(models, "late-by-matrix.onnx"), join(folder, "trained/model.onnx"));
  await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "src/cli/main.ts"), "run", "train"],
    { cwd: folder },
  );
}

async function putArtifacts(): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    "table.csv": `name,value\n${Array.from({ length: 40 }, (_, index) => `"row, ${index}",${index}`).join("\n")}\n`,
    "page.html": "<h1>Report</h1><script>parent.document.title = 'broken'</script>",
    "model/MLmodel":
      'flavors:\n  python_function: {}\n  sklearn: {}\nmlflow_version: 3.11.1\nsignature:\n  inputs: \'[{"type": "double", "name": "distance"}]\'\n',
    "plot.svg":
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10" fill="teal"/></svg>',
  };
  for (const [path, text] of Object.entries(files)) {
    const response = await fetch(
      `${server.url}/api/2.0/mlflow-artifacts/artifacts/${filled.experimentId}/${first}/artifacts/${path}`,
      { method: "PUT", body: text },
    );
    assert.equal(response.status, 200);
  }
}

/**
 * A page whose complaints fail the test; answers of the server with 4xx are told there too, and some tests ask for
 * them.
 */
async function open(
  path: string,
  { language = "en-US", scheme = "light" as "light" | "dark" } = {},
): Promise<{ readonly page: Page; readonly context: BrowserContext; readonly complaints: readonly string[] }> {
  const context = await browser.newContext({
    locale: language,
    viewport: { width: 1360, height: 860 },
    reducedMotion: "reduce",
    colorScheme: scheme,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (
      message.type() === "error" &&
      !message.text().includes("about:srcdoc") &&
      !message.text().includes("status of 4")
    )
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`${server.url}${path}`);
  return { page, context, complaints };
}

async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
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
}

describe("the runs table", needsBrowser, () => {
  test("follows page after page while someone scrolls, with few rows in the page", async () => {
    const { page, context, complaints } = await open(`/experiments/${filled.experimentId}`);
    await page.getByRole("link", { name: "run 0", exact: true }).waitFor();
    await page.locator(".runs-scroll").evaluate((box) => {
      (box as unknown as { scrollTop: number }).scrollTop = 3000;
    });
    await page.getByText(`${RUNS} runs`, { exact: true }).waitFor();
    assert.ok((await page.locator(".runs-row").count()) < 60);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("is sorted and filtered by the server; its sentence about a filter stands at the box", async () => {
    const { page, context } = await open(`/experiments/${filled.experimentId}`);
    await page.getByRole("columnheader", { name: "loss" }).first().getByRole("button").click();
    await page.getByRole("link", { name: `run ${RUNS - 1}`, exact: true }).waitFor();
    assert.match(page.url(), /sort=metric\.loss/);
    const box = page.getByRole("searchbox", { name: "Filter of runs" });
    await box.fill("metrics.loss <");
    await box.press("Enter");
    await page.locator("#filter-error").waitFor();
    assert.equal(await box.getAttribute("aria-invalid"), "true");
    await box.fill("metrics.`val/auc` > 0.8955 AND params.model = 'tree'");
    await box.press("Enter");
    await page.getByText("3 runs", { exact: true }).waitFor();
    await context.close();
  });

  test("columns, pins and a saved view are chosen, kept, and part of the address", async () => {
    const { page, context, complaints } = await open(`/experiments/${filled.experimentId}`);
    await page.getByRole("link", { name: "run 0", exact: true }).waitFor();
    await page.getByRole("button", { name: "Columns" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("searchbox").fill("team");
    await dialog.getByRole("checkbox").check();
    await page.keyboard.press("Escape");
    await page.waitForURL(/columns=.*tag\.team/);
    await page.getByRole("row", { name: "run 5" }).first().hover();
    await page.getByRole("button", { name: "Pin run 5 to the top", exact: true }).click();
    await page.getByRole("button", { name: "Save view" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("teams");
    await page.getByRole("dialog").getByRole("button", { name: "Save view" }).click();
    await page.getByRole("combobox", { name: "Saved views" }).waitFor();
    await page.reload();
    await page.locator(".is-pinned").getByText("run 5").waitFor();
    assert.equal(await page.locator(".runs-name").first().textContent(), "run 5");
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("runs are tagged, deleted and restored together, and saved as CSV", async () => {
    const { page, context } = await open(
      `/experiments/${filled.experimentId}?q=${encodeURIComponent("params.model = 'linear' AND metrics.loss < 0.04")}`,
    );
    await page.getByText("2 runs", { exact: true }).waitFor();
    await page.getByRole("checkbox", { name: "Select all loaded" }).check();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV of the selected" }).click();
    assert.match(await readFile(await (await download).path(), "utf8"), /^run_id,run_name,start_time.*\r\n\w+,run 1,/);
    await page.getByRole("group", { name: "Selected runs" }).getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("No run matches the filter.").waitFor();
    await page.getByRole("combobox", { name: "Active or deleted" }).selectOption("DELETED_ONLY");
    await page.getByRole("checkbox", { name: "Select all loaded" }).check();
    await page.getByRole("group", { name: "Selected runs" }).getByRole("button", { name: "Restore" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Restore" }).click();
    await page.getByText("No run matches the filter.").waitFor();
    await context.close();
  });
});

describe("a run", needsBrowser, () => {
  test("says that a long metric is sampled, and shows more of a stretch that someone drags over", async () => {
    const { page, context, complaints } = await open(`/experiments/run/${first}?tab=metrics&metric=long`);
    await page.getByText(/^Sampled: 1,001 points, evenly chosen from step 0 to 4,999/).waitFor();
    const over = await page.locator(".u-over").boundingBox();
    assert.ok(over !== null);
    await page.mouse.move(over.x + 20, over.y + 50);
    await page.mouse.down();
    await page.mouse.move(over.x + 60, over.y + 50, { steps: 5 });
    await page.mouse.up();
    await page.getByText(/^All \d+ points · steps \d+ to \d+/).waitFor();
    await page.getByRole("button", { name: "As a table" }).click();
    await page.getByRole("columnheader", { name: "Step" }).waitFor();
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("shows its artifacts: a table, an image, HTML that cannot act, a model with its signature", async () => {
    const { page, context, complaints } = await open(`/experiments/run/${first}?tab=artifacts`);
    await page.getByRole("button", { name: /table\.csv/ }).click();
    await page.getByText("row, 0").waitFor();
    await page.getByRole("button", { name: /plot\.svg/ }).click();
    await page.getByRole("img", { name: "plot.svg" }).waitFor();
    await page.getByRole("button", { name: /page\.html/ }).click();
    await page.locator("iframe").waitFor();
    assert.equal(await page.locator("iframe").getAttribute("sandbox"), "");
    assert.match(await page.title(), /esteira$/);
    await page.getByRole("button", { name: "model" }).click();
    await page.getByRole("button", { name: /MLmodel/ }).click();
    await page.getByText(`mlflow.sklearn.load_model("runs:/${first}/model")`).waitFor();
    await page.getByText("distance double").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    assert.match(await readFile(await (await download).path(), "utf8"), /^flavors:/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("gets tags and a description, in Markdown that is safe", async () => {
    const { page, context, complaints } = await open(`/experiments/run/${filled.runIds[2] ?? ""}`);
    await page.getByRole("button", { name: "Add a tag" }).click();
    await page.getByRole("dialog").getByLabel("Key").fill("reviewed");
    await page.getByRole("dialog").getByLabel("Value").fill("yes");
    await page.getByRole("dialog").getByRole("button", { name: "Add a tag" }).click();
    await page.getByRole("rowheader", { name: "reviewed" }).waitFor();
    await page.getByRole("button", { name: "Edit" }).first().click();
    await page.getByRole("dialog").getByRole("textbox").fill("It is **good** <img src=x onerror=alert(1)>");
    await page.getByRole("dialog").getByRole("button", { name: "Edit" }).click();
    await page.locator(".markdown strong").getByText("good").waitFor();
    assert.equal(await page.locator(".markdown img").count(), 0);
    assert.deepEqual(complaints, []);
    await context.close();
  });
});

describe("the registry", needsBrowser, () => {
  test("an alias is moved; what the server refuses is told in the dialog", async () => {
    const { page, context } = await open("/registry");
    await page.getByRole("link", { name: "delay", exact: true }).click();
    await page.getByRole("button", { name: "Move" }).click();
    await page.getByRole("dialog").getByLabel("Version").fill("99");
    await page.getByRole("dialog").getByRole("button", { name: "Move" }).click();
    await page.getByRole("dialog").getByRole("alert").getByText(/99/).waitFor();
    await page.getByRole("dialog").getByLabel("Version").fill("2");
    await page.getByRole("dialog").getByRole("button", { name: "Move" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.getByRole("row", { name: /v2.*candidate/ }).waitFor();
    await context.close();
  });

  test("a protected alias of a model that a pipeline made does not move; the record and the run are one click away", async () => {
    const { page, context, complaints } = await open("/registry/late");
    await page.getByRole("button", { name: "Set an alias" }).click();
    await page.getByRole("dialog").getByLabel("Alias").fill("champion");
    await page.getByRole("dialog").getByLabel("Version").fill("1");
    await page.getByRole("dialog").getByRole("button", { name: "Set an alias" }).click();
    await page
      .getByRole("dialog")
      .getByRole("alert")
      .getByText(/champion.*approv/)
      .waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "v1" }).click();
    await page.getByText("Nobody has approved this digest.").waitFor();
    await page.getByRole("link", { name: /^[0-9a-f]{32}$/ }).click();
    await page.getByRole("heading", { name: "Made in a pipeline" }).waitFor();
    await page.goBack();
    await page.getByRole("link", { name: "Open the record" }).click();
    await page.waitForURL(/\/models\/late\/1$/);
    assert.deepEqual(complaints, []);
    await context.close();
  });

  test("an address that a client printed leads to the page", async () => {
    const { page, context } = await open("/#/models/delay/versions/1");
    await page.getByRole("heading", { level: 1 }).getByText("delay v1").waitFor();
    await context.close();
  });
});

test(
  "no page makes the browser complain, and none breaks WCAG 2.2 AA, in both languages, light and dark",
  needsBrowser,
  async () => {
    const compared = filled.runIds.slice(0, 12).join(",");
    const run = `/experiments/run/${first}`;
    const paths = [
      "/experiments",
      "/experiments?name=nothing",
      `/experiments/${filled.experimentId}`,
      `/experiments/${filled.experimentId}?tab=about`,
      "/experiments/0",
      run,
      `${run}?tab=metrics`,
      `${run}?tab=artifacts&file=table.csv`,
      `${run}?tab=artifacts&file=model%2FMLmodel`,
      ...["differences", "parallel", "scatter", "box", "metrics"].map(
        (tab) => `/experiments/compare?runs=${compared}&tab=${tab}`,
      ),
      "/experiments/compare",
      "/registry",
      "/registry/delay",
      "/registry/delay/1",
      "/registry/late/1",
    ];
    const problems = new Set<string>();
    for (const [scheme, language] of [
      ["light", "en-US"],
      ["dark", "pt-BR"],
    ] as const) {
      const { page, context, complaints } = await open("/", { scheme, language });
      for (const path of paths) {
        await page.goto(`${server.url}${path}`);
        await page.locator("h1").waitFor();
        await page.locator(".waiting").first().waitFor({ state: "detached" });
        for (const violation of await violations(page)) problems.add(`${scheme} ${path} ${violation}`);
      }
      for (const complaint of complaints) problems.add(complaint);
      await context.close();
    }
    assert.deepEqual([...problems], []);
  },
);
