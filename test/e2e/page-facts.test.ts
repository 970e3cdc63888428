import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { createServices } from "#executors";
import { buildWeb } from "../../scripts/build-web.ts";
import { launchBrowser, needsBrowser } from "../setup/browser.ts";
import { type StartedServer, startServer } from "../setup/started-server.ts";

// What pages say of a real project: it captures, fails, is repaired, and releases code twice.
const FILES: Readonly<Record<string, string>> = {
  "esteira.yaml":
    "name: facts\nisolation: { exempt: [slow.wait] }\nenvironments: { staging: {}, production: { approvals: 1, bind: version } }\n",
  "pipelines/numbers.yaml":
    'steps:\n  raw_numbers: { capture: { files: "data/*.csv" } }\n  numbers: { sql: sql/numbers.sql }\n',
  "pipelines/checks.yaml": `params: { expected: 3 }
steps:
  prepare: { run: "echo ready" }
  verify: { run: "sh verify.sh", needs: prepare, cache: false }
  report: { run: "echo reported", needs: verify, cache: false }
`,
  "pipelines/site.yaml": `steps:
  app: { run: "mkdir -p dist && cp site.txt server.mjs dist/", files: [site.txt, server.mjs], makes: { code: dist/ } }
  web: { deploy: app, to: [staging], start: "node server.mjs" }
`,
  "pipelines/train.yaml":
    'steps:\n  late: { run: "mkdir -p made && cp trained/* made/", files: ["trained/*"], makes: { model: made } }\n  serve: { deploy: late, to: [production] }\n',
  "pipelines/slow.yaml": 'steps:\n  wait: { run: "while [ ! -e GO_FILE ]; do sleep 0.1; done", cache: false }\n',
  "verify.sh": "echo looking\necho '  found nothing' >&2\necho 'ValueError: departures are missing' >&2\nexit 3\n",
  "sql/numbers.sql": "SELECT id, value FROM raw_numbers\n",
  "data/numbers.csv": [
    "id,value,at",
    ...Array.from(
      { length: 1200 },
      (_, index) => `${index},${(index * 7919) % 4801},2001-03-${String((index % 28) + 1).padStart(2, "0")} 10:30:00`,
    ),
    "",
  ].join("\n"),
  "server.mjs":
    'import { createServer } from "node:http";\ncreateServer((_, response) => response.end("up")).listen(process.env.PORT, "127.0.0.1");\n',
  "site.txt": "one\n",
};

let browser: Browser;
let folder: string;
let server: StartedServer;

before(async () => {
  if (needsBrowser.skip !== false) return;
  await buildWeb({ quiet: true });
  folder = await mkdtemp(join(tmpdir(), "esteira-facts-"));
  for (const [file, text] of Object.entries(FILES)) await write(file, text.replace("GO_FILE", join(folder, "go")));
  const models = join(import.meta.dirname, "../serving/models");
  const { model } = JSON.parse(await readFile(join(models, "late-by-matrix.json"), "utf8")) as {
    readonly model: object;
  };
  await write("trained/model.json", JSON.stringify(model));
  await copyFile(join(models, "late-by-matrix.onnx"), join(folder, "trained/model.onnx"));
  server = await startServer(folder);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  // A released service outlives the server that started it.
  if (folder !== undefined)
    await createServices({ folder: join(folder, ".esteira/services") }).stop({
      project: "facts",
      environment: "staging",
      name: "app",
    });
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function write(file: string, text: string): Promise<void> {
  await mkdir(join(folder, file, ".."), { recursive: true });
  await writeFile(join(folder, file), text);
}

const api = async <Answer>(path: string, body?: object): Promise<Answer> => {
  const response = await fetch(
    `${server.url}/api/v1${path}`,
    body === undefined
      ? {}
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  );
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Answer;
};

/** Runs a pipeline to its end. */
async function play(pipeline: string): Promise<{ readonly id: string; readonly status: string }> {
  const { id } = await api<{ id: string }>(`/pipelines/${pipeline}/runs`, {});
  for (;;) {
    const run = await api<{ id: string; status: string }>(`/pipeline-runs/${id}`);
    if (["succeeded", "failed", "cancelled", "interrupted"].includes(run.status)) return run;
    await new Promise((resolveWait) => setTimeout(resolveWait, 100));
  }
}

async function open(
  path: string,
  options: { readonly language?: string; readonly width?: number } = {},
): Promise<Page> {
  const context = await browser.newContext({
    locale: options.language ?? "en-US",
    viewport: { width: options.width ?? 1440, height: 900 },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await page.goto(server.url + path);
  await page.locator("h1").waitFor();
  return page;
}

const figure = (page: Page, name: string): Promise<string | null> =>
  page.locator(`[data-figure="${name}"]`).first().getAttribute("data-value");

describe("pages of a project in which something failed", needsBrowser, () => {
  test("the run page, the tables and home say in words what became of the steps", async () => {
    const { id, status } = await play("checks");
    assert.equal(status, "failed");
    const page = await open(`/runs/${id}`);
    await page.locator(".figures").getByText("1 ok").waitFor();
    assert.equal(
      await page
        .locator(".figures .outcomes")
        .innerText()
        .then((text) => text.replaceAll("\n", " ")),
      "1 ok 1 failed 1 skipped",
    );
    await page.getByText("expected", { exact: true }).waitFor();
    await page.goto(`${server.url}/pipelines?tab=runs`);
    await page.locator(`[data-row="${id}"]`).getByText("1 failed").waitFor();
    await page.goto(server.url);
    await page.locator(".run-line").first().getByText("1 skipped").waitFor();
    await page.context().close();
  });

  test("the error leads to the step and its log, and Back from there closes the drawer and stays on the run", async () => {
    const { items } = await api<{ items: { id: string }[] }>("/pipeline-runs?pipeline=checks&limit=1");
    const page = await open(`/pipelines?tab=runs`);
    await page.goto(`${server.url}/runs/${items[0]?.id ?? ""}`);
    await page.getByRole("button", { name: "Open the step and its log" }).click();
    await page.getByRole("dialog").getByRole("log").getByText("departures are missing").waitFor();
    await page.goBack();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    assert.match(page.url(), /\/runs\/[0-9A-Z]+$/);
    await page.getByRole("button", { name: "Open the step and its log" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.goBack();
    await page.waitForURL(/\/pipelines\?tab=runs$/);
    await page.context().close();
  });

  test("in Portuguese the reason, the error and its hint are in Portuguese, and no hint asks for a command line", async () => {
    const { items } = await api<{ items: { id: string }[] }>("/pipeline-runs?pipeline=checks&limit=1");
    const page = await open(`/runs/${items[0]?.id ?? ""}`, { language: "pt-BR" });
    await page.getByText("O comando do passo “verify” falhou").first().waitFor();
    await page.getByText("O log do passo diz mais.").first().waitFor();
    await page
      .getByRole("button", { name: /^report/ })
      .first()
      .click();
    await page.getByRole("dialog").getByText("verify falhou").waitFor();
    await page.goto(`${server.url}/runs/nothing`);
    await page.getByText(/Não existe a execução de pipeline/).waitFor();
    await page.context().close();
  });

  test("home waits with the failure, its reason and a retry; its station stands red until it went well or somebody saw it", async () => {
    const page = await open("/");
    const waiting = page.locator(".attention-list").first();
    await waiting.getByText("checks failed at verify").waitFor();
    await waiting.getByText("ValueError: departures are missing").waitFor();
    assert.equal(await figure(page, "nav.failedRuns"), "1");
    assert.equal(
      await page
        .locator(".code-station.tone-bad")
        .innerText()
        .then((text) => text.split("\n")[0]),
      "Check",
    );
    await page.getByText("1 pipeline failed and waits for a person").waitFor();

    await waiting.getByRole("button", { name: "Seen" }).click();
    await page.getByText("Nothing needs a person right now.").waitFor();
    assert.equal(await page.locator(".code-station.tone-bad").count(), 1);

    // Seen is said of that failure, not of the next.
    await play("checks");
    await waiting.getByText("checks failed at verify").waitFor();
    await write("verify.sh", "echo found\n");
    await waiting.getByRole("button", { name: "Retry" }).click();
    await page.getByText("Nothing needs a person right now.").waitFor();
    await page.locator(".code-station.tone-bad").waitFor({ state: "detached" });
    await page.context().close();
  });

  test("a parcel stands where a step runs, in the colour of what it carries, and only while it runs", async () => {
    const page = await open("/");
    assert.equal(await page.locator(".parcel").count(), 0);
    const { id } = await api<{ id: string }>("/pipelines/slow/runs", {});
    await page.locator(".code-station .parcel.load-code").waitFor();
    assert.equal(await page.locator(".parcel").count(), 1);
    // It moves: a click may come between two of its places.
    const isThere = new RegExp(`/runs/${id}\\?step=`);
    for (let tries = 0; tries < 10 && !isThere.test(page.url()); tries++) {
      await page.locator(".parcel").click();
      await page.waitForURL(isThere, { timeout: 5000 }).catch(() => undefined);
    }
    assert.match(page.url(), isThere);
    await page.goBack();
    await write("go", "");
    await page.locator(".parcel").waitFor({ state: "detached" });
    await page.context().close();
  });
});

describe("pages that say what is live", needsBrowser, () => {
  test("stations name what they last made, with its version", async () => {
    await play("numbers");
    await play("site");
    await write("site.txt", "two\n");
    await play("site");
    const page = await open("/");
    await page.locator('[data-figure="release.subject"]').waitFor();
    assert.equal(await figure(page, "capture.subject"), "raw_numbers@1");
    assert.equal(await figure(page, "transform.subject"), "numbers@1");
    assert.equal(await figure(page, "build.subject"), "app@2");
    assert.equal(await figure(page, "release.subject"), "app@2");
    assert.equal(await figure(page, "release.version"), "2");
    await page.context().close();
  });

  test("the rollback dialog names what goes back and nothing else, and that is what goes back", async () => {
    const page = await open("/releases");
    await page.locator(".environments").getByRole("button", { name: "Roll back" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("What goes back:").waitFor();
    assert.deepEqual(
      (await dialog.locator(".release-changes li").allInnerTexts()).map((text) => text.replaceAll(/\s+/g, " ")),
      ["Code app v2 → v1"],
    );
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await dialog.waitFor({ state: "hidden" });
    await page.locator(".environments").getByText("app v1").waitFor();
    // Before the first release there is none: nothing is offered that would be refused.
    assert.equal(await page.locator(".environments").getByRole("button", { name: "Roll back" }).count(), 0);
    await page.context().close();
  });

  test("an approval's card says what it is about: the version, its verdict, its notebook when one made it", async () => {
    await api("/pipelines/train/runs", {});
    const page = await open("/approvals");
    const card = page.locator(".approval");
    await card.getByRole("link", { name: "late v1" }).waitFor({ timeout: 60_000 });
    await card.locator(".approval-evidence").getByText("Not tested").waitFor();
    assert.equal(await card.getByRole("link", { name: "What changed in its notebook" }).count(), 0);
    await page.context().close();
  });

  test("a sorted dataset shows the largest of all its rows, not of those that were loaded", async () => {
    const page = await open("/datasets/raw_numbers?tab=rows");
    const largest = Math.max(...Array.from({ length: 1200 }, (_, index) => (index * 7919) % 4801));
    await page.getByRole("columnheader", { name: "value" }).getByRole("button").click();
    await page.getByText("All 1,200 rows sorted by value, largest first").waitFor();
    await page.locator(`[data-figure="row.value"][data-value="${largest}"]`).waitFor();
    assert.equal(await figure(page, "row.value"), String(largest));
    assert.equal(
      await page
        .locator('[data-figure="row.at"]')
        .first()
        .evaluate((cell) => cell.scrollWidth <= cell.clientWidth),
      true,
    );
    await page.context().close();
  });

  test("a dataset's versions to choose from are no wider than a phone, in the language with the longer words", async () => {
    await play("numbers");
    const page = await open("/datasets/raw_numbers", { width: 390, language: "pt-BR" });
    await page.locator("main select").first().waitFor();
    assert.equal(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`), true);
    await page.context().close();
  });

  test("no action of a page lies outside of it, wide or narrow", async () => {
    for (const width of [1440, 390]) {
      const page = await open("/releases", { width });
      await page.locator('[data-figure="releases.time"]').first().waitFor();
      const outside = await page.evaluate<readonly string[]>(
        `[...document.querySelectorAll(".table-cell")].filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent)`,
      );
      assert.deepEqual(outside, []);
      assert.equal(await page.evaluate(`document.documentElement.scrollWidth <= innerWidth`), true);
      if (width === 390) assert.ok(((await page.locator(".topbar").boundingBox())?.height ?? 999) < 70);
      await page.context().close();
    }
  });
});
