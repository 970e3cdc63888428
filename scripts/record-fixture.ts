// Records what the real server answers, for the tests of pages: `npm run record -- [--demo DIR]`. Writes test/web/fixture/recorded.json.
//
// The store is the demo's (played in a few minutes, or the one in DIR), with a few pipelines of code beside it, so that there is also something
// that fails, something that waits for an approval, and something that runs while it is recorded.
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startServer, type StartedServer } from "../test/setup/started-server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const TARGET = join(ROOT, "test/web/fixture/recorded.json");
/** What a page asks for at first is up to a hundred rows; the tests of long lists repeat a recorded row. */
const ROWS = 40;

const BESIDE: Readonly<Record<string, string>> = {
  "pipelines/nightly.yaml": `description: Checks that the airports' list is complete
steps:
  airports: { run: "echo 'reading 229 airports'; echo 'ValueError: departures of 2001-07-01 are missing' >&2; exit 3" }
  report: { run: echo done, needs: airports }
`,
  "pipelines/web.yaml": `description: The page that shows delays
on: { push: main }
steps:
  test: { run: "echo ok \${{ matrix.suite }}", matrix: { suite: [table, chart] } }
  app: { run: "mkdir -p dist && cp web/* dist/", needs: test, makes: { code: dist/ } }
  web: { deploy: app, to: [staging, production], health: /healthz }
`,
  "pipelines/export.yaml": `description: Copies the delays to the archive
params: { months: 6 }
steps:
  archive: { run: "for i in $(seq 1 400); do printf '\\\\033[36m[%04d]\\\\033[0m copied\\\\n' $i; done; sleep 900" }
`,
  "web/package.json": '{ "name": "delays", "type": "module", "scripts": { "start": "node server.mjs" } }\n',
  "web/server.mjs": 'import { createServer } from "node:http";\ncreateServer((request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");\n',
};

const { values } = parseArgs({ options: { demo: { type: "string" } } });
const folder = await mkdtemp(join(tmpdir(), "esteira-record-"));
const project = join(folder, "flights");
try {
  await bringDemo();
  const server = await startServer(project);
  try {
    const recorded = { ...(await record(server)), empty: await recordEmpty() };
    await writeFile(TARGET, `${JSON.stringify(recorded)}\n`);
    process.stdout.write(`wrote ${TARGET.slice(ROOT.length + 1)}: ${Object.keys(recorded.answers).length} answers\n`);
  } finally {
    await server.stop();
  }
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function bringDemo(): Promise<void> {
  if (values.demo === undefined) {
    const { status } = spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", join(ROOT, "scripts/demo.ts"), "--exit", "--port", "0", "--folder", project], { stdio: ["ignore", 2, 2] });
    if (status !== 0) throw new Error("the demo could not be played; the lines above say why");
  } else await cp(resolve(process.env["INIT_CWD"] ?? process.cwd(), values.demo), project, { recursive: true });
  for (const [file, text] of Object.entries(BESIDE)) {
    await mkdir(join(project, file, ".."), { recursive: true });
    await writeFile(join(project, file), text);
  }
}

/** What a project answers in which nothing was made yet. */
async function recordEmpty(): Promise<Readonly<Record<string, unknown>>> {
  const place = join(folder, "new");
  await mkdir(place);
  await writeFile(join(place, "esteira.yaml"), "name: new\n");
  const server = await startServer(place);
  try {
    const answers: Record<string, unknown> = {};
    for (const path of ["/session", "/overview", "/approvals", "/alerts", "/monitors", "/environments", "/pipelines", "/pipeline-runs", "/datasets", "/models", "/endpoints", "/dashboards", "/releases", "/feature-views"]) {
      answers[path] = JSON.parse(withoutPlaces(await (await fetch(`${server.url}/api/v1${path}`)).text()));
    }
    return answers;
  } finally {
    await server.stop();
  }
}

interface Recorded {
  readonly recordedAtMs: number;
  /** Ids and addresses that tests open. */
  readonly subjects: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<string, unknown>>;
  /** What the server answers when a run that is over is cancelled. */
  readonly refusal: { readonly status: number; readonly body: unknown };
}

interface Run {
  readonly id: string;
  readonly status: string;
  readonly pipeline: string;
  readonly stepRuns: readonly { readonly id: string; readonly step: string; readonly status: string }[];
}

async function record({ url }: StartedServer): Promise<Recorded> {
  const ask = async (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}/api/v1${path}`, init);
  const answers: Record<string, unknown> = {};
  const get = async <Answer>(path: string): Promise<Answer> => {
    const response = await ask(path);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    const answer = withoutPlaces(await response.text());
    answers[path.replace(/\?.*$/, "")] = JSON.parse(answer);
    return JSON.parse(answer) as Answer;
  };
  const start = async (pipeline: string): Promise<string> => {
    const response = await ask(`/pipelines/${pipeline}/runs`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    return ((await response.json()) as { readonly id: string }).id;
  };
  const until = async (id: string, isReached: (run: Run) => boolean): Promise<Run> => {
    for (;;) {
      const run = (await (await ask(`/pipeline-runs/${id}`)).json()) as Run;
      if (isReached(run)) return run;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  const failed = await until(await start("nightly"), ({ status }) => status === "failed");
  const waiting = await until(await start("web"), ({ status }) => ["waiting", "failed", "succeeded"].includes(status));
  const running = await until(await start("export"), ({ stepRuns }) => stepRuns.some(({ status }) => status === "running"));
  const archive = running.stepRuns[0]?.id ?? "";
  while (((await (await ask(`/step-runs/${archive}/log?limit=1000`)).json()) as { items: { text: string }[] }).items.every(({ text }) => !text.includes("0400"))) await new Promise((resolve) => setTimeout(resolve, 200));

  for (const path of ["/session", "/overview", "/alerts", "/monitors", "/environments", "/approvals", "/feature-views"]) await get(path);
  const limited = `?limit=${ROWS}`;
  const { items: runs } = await get<{ readonly items: readonly Run[] }>(`/pipeline-runs${limited}`);
  const trained = runs.find(({ pipeline, status }) => pipeline === "delay" && status === "succeeded") ?? failed;
  for (const run of [failed, waiting, running, trained]) {
    const { stepRuns } = await get<Run>(`/pipeline-runs/${run.id}`);
    for (const { id } of stepRuns) await get(`/step-runs/${id}/log?limit=1000`);
  }
  for (const list of ["/pipelines", "/datasets", "/models", "/endpoints", "/dashboards", "/releases"]) await get(`${list}${limited}`);
  for (const { name } of (answers["/pipelines"] as Named).items) await get(`/pipelines/${name}`);
  for (const { name } of (answers["/datasets"] as Named).items) {
    await get(`/datasets/${name}`);
    await get(`/datasets/${name}/rows${limited}`);
    await get(`/datasets/${name}/quarantine${limited}`);
    await get(`/assets/${name}/versions${limited}`);
  }
  await get("/models/delay");
  const { items: predictions } = await get<{ readonly items: readonly { readonly id: string }[] }>(`/endpoints/production/delay/predictions${limited}`);
  await get(`/endpoints/staging/delay/predictions${limited}`);
  await get(`/predictions/${predictions[0]?.id ?? ""}`);
  for (const environment of ["staging", "production"]) await get(`/endpoints/${environment}/delay`);
  const model = await get<{ readonly assetVersionId: string; readonly notebook?: { readonly versionId: string } }>("/models/delay/versions/2");
  await get("/models/delay/versions/1");
  await get(`/lineage/${model.assetVersionId}`);
  const { versionId } = await get<{ readonly versionId: string }>("/datasets/raw_flights");
  await get(`/lineage/${versionId}`);
  await get(`/notebooks/${model.notebook?.versionId ?? ""}`);
  for (const { name } of (answers["/dashboards"] as Named).items) await get(`/dashboards/${name}`);
  const refused = await ask(`/pipeline-runs/${failed.id}/cancel`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  const refusal = { status: refused.status, body: JSON.parse(withoutPlaces(await refused.text())) as unknown };
  const subjects = { failed: failed.id, waiting: waiting.id, running: running.id, trained: trained.id, runningStep: archive, notebook: model.notebook?.versionId ?? "", prediction: predictions[0]?.id ?? "", model: model.assetVersionId, rawFlights: versionId };
  await ask(`/pipeline-runs/${running.id}/cancel`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  return { recordedAtMs: Date.now(), subjects, answers, refusal };
}

interface Named {
  readonly items: readonly { readonly name: string }[];
}

/** Places of the machine that recorded do not belong into a test. */
function withoutPlaces(text: string): string {
  return text.replaceAll(project, "/projects/flights").replaceAll(folder, "/projects").replaceAll(ROOT, "/opt/esteira");
}
