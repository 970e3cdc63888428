// Records what the real server answers, for the tests of pages: `npm run record -- [--demo DIR]`. Writes
// test/web/fixture/recorded.json.
//
// The store is the demo's (played in a few minutes, or the one in DIR), with a few pipelines of code beside it, so that
// there is also something that fails, something that waits for an approval, and something that runs while it is
// recorded.
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startServer, type StartedServer } from "../test/setup/started-server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const TARGET = join(ROOT, "test/web/fixture/recorded.json");
/** What a page asks for at first is up to a hundred rows; the tests of long lists repeat a recorded row. */
const LIMITED = "?limit=40";

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
  "web/server.mjs":
    'import { createServer } from "node:http";\ncreateServer((request, response) => response.end("ok")).listen(Number(process.env.PORT), "127.0.0.1");\n',
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
    const { status } = spawnSync(
      process.execPath,
      [
        "--disable-warning=ExperimentalWarning",
        join(ROOT, "scripts/demo.ts"),
        "--exit",
        "--port",
        "0",
        "--folder",
        project,
      ],
      { stdio: ["ignore", 2, 2] },
    );
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
    for (const path of [
      "/session",
      "/overview",
      "/approvals",
      "/retrainings",
      "/alerts",
      "/monitors",
      "/environments",
      "/pipelines",
      "/pipeline-runs",
      "/datasets",
      "/models",
      "/endpoints",
      "/dashboards",
      "/releases",
      "/feature-views",
    ]) {
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
  /** What the server answers when a pipeline that does not exist shall run. */
  readonly refusal: { readonly status: number; readonly body: unknown };
}

interface Run {
  readonly id: string;
  readonly status: string;
  readonly pipeline: string;
  readonly stepRuns: readonly { readonly id: string; readonly step: string; readonly status: string }[];
}

interface Recording {
  readonly answers: Record<string, unknown>;
  /** Asks, and keeps the answer under the address without its query. */
  readonly get: <Answer>(path: string) => Promise<Answer>;
  readonly post: (path: string) => Promise<Response>;
}

function openRecording(url: string): Recording {
  const answers: Record<string, unknown> = {};
  return {
    answers,
    async get(path) {
      const response = await fetch(`${url}/api/v1${path}`);
      const text = withoutPlaces(await response.text());
      if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
      answers[path.replace(/\?.*$/, "")] = JSON.parse(text);
      return JSON.parse(text) as never;
    },
    post: (path) =>
      fetch(`${url}/api/v1${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }),
  };
}

async function record({ url }: StartedServer): Promise<Recorded> {
  const recording = openRecording(url);
  const runs = await playBeside(url, recording);
  for (const path of [
    "/session",
    "/overview",
    "/alerts",
    "/monitors",
    "/environments",
    "/approvals",
    "/retrainings",
    "/feature-views",
  ])
    await recording.get(path);
  const trained = await recordRuns(recording, runs);
  await recordAssets(recording);
  const subjects = await recordModel(recording);
  const refused = await recording.post("/pipelines/nothing/runs");
  if (refused.ok) throw new Error("a pipeline that does not exist was started: nothing was refused");
  const refusal = { status: refused.status, body: JSON.parse(withoutPlaces(await refused.text())) as unknown };
  await recording.post(`/pipeline-runs/${runs.running.id}/cancel`);
  return {
    recordedAtMs: Date.now(),
    subjects: {
      failed: runs.failed.id,
      waiting: runs.waiting.id,
      running: runs.running.id,
      runningStep: runs.running.stepRuns[0]?.id ?? "",
      trained,
      ...subjects,
    },
    answers: recording.answers,
    refusal,
  };
}

interface Beside {
  readonly failed: Run;
  readonly waiting: Run;
  readonly running: Run;
}

/** Runs the pipelines beside the demo: one fails, one waits for an approval, one is still running. */
async function playBeside(url: string, { post }: Recording): Promise<Beside> {
  const ask = async <Answer>(path: string): Promise<Answer> =>
    (await (await fetch(`${url}/api/v1${path}`)).json()) as Answer;
  const start = async (pipeline: string, isReached: (run: Run) => boolean): Promise<Run> => {
    const { id } = (await (await post(`/pipelines/${pipeline}/runs`)).json()) as { readonly id: string };
    for (;;) {
      const run = await ask<Run>(`/pipeline-runs/${id}`);
      if (isReached(run)) return run;
      await pause();
    }
  };
  const failed = await start("nightly", ({ status }) => status === "failed");
  const waiting = await start("web", ({ status }) => ["waiting", "failed", "succeeded"].includes(status));
  const running = await start("export", ({ stepRuns }) => stepRuns.some(({ status }) => status === "running"));
  const log = `/step-runs/${running.stepRuns[0]?.id ?? ""}/log?limit=1000`;
  while (
    (await ask<{ readonly items: readonly { readonly text: string }[] }>(log)).items.every(
      ({ text }) => !text.includes("0400"),
    )
  )
    await pause();
  return { failed, waiting, running };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200));
}

/** @returns the newest run that trained a model */
async function recordRuns({ get }: Recording, { failed, waiting, running }: Beside): Promise<string> {
  const { items } = await get<{ readonly items: readonly Run[] }>(`/pipeline-runs${LIMITED}`);
  const trained = items.find(({ pipeline, status }) => pipeline === "delay" && status === "succeeded") ?? failed;
  for (const { id } of [failed, waiting, running, trained]) {
    const { stepRuns } = await get<Run>(`/pipeline-runs/${id}`);
    await get(`/pipeline-runs/${id}/step-runs${LIMITED}`);
    for (const step of stepRuns) await get(`/step-runs/${step.id}/log?limit=1000`);
  }
  return trained.id;
}

async function recordAssets({ get }: Recording): Promise<void> {
  for (const list of ["/models", "/endpoints", "/releases"]) await get(`${list}${LIMITED}`);
  for (const { name } of (await get<Named>(`/pipelines${LIMITED}`)).items) await get(`/pipelines/${name}`);
  for (const { name } of (await get<Named>(`/dashboards${LIMITED}`)).items) await get(`/dashboards/${name}`);
  for (const { name } of (await get<Named>(`/datasets${LIMITED}`)).items) {
    for (const path of [
      `/datasets/${name}`,
      `/datasets/${name}/rows${LIMITED}`,
      `/datasets/${name}/quarantine${LIMITED}`,
      `/assets/${name}/versions${LIMITED}`,
    ])
      await get(path);
  }
}

async function recordModel({ get }: Recording): Promise<Readonly<Record<string, string>>> {
  await get("/models/delay");
  const { items: predictions } = await get<{ readonly items: readonly { readonly id: string }[] }>(
    `/endpoints/production/delay/predictions${LIMITED}`,
  );
  const prediction = predictions[0]?.id ?? "";
  for (const path of [
    `/endpoints/staging/delay/predictions${LIMITED}`,
    `/predictions/${prediction}`,
    "/endpoints/staging/delay",
    "/endpoints/production/delay",
    `/models/delay/versions${LIMITED}`,
    "/models/delay/versions/1",
  ])
    await get(path);
  const { assetVersionId: model, notebook } = await get<{
    readonly assetVersionId: string;
    readonly notebook?: { readonly versionId: string };
  }>("/models/delay/versions/2");
  const { versionId: rawFlights } = await get<{ readonly versionId: string }>("/datasets/raw_flights");
  for (const path of [`/lineage/${model}`, `/lineage/${rawFlights}`, `/notebooks/${notebook?.versionId ?? ""}`])
    await get(path);
  return { notebook: notebook?.versionId ?? "", prediction, model, rawFlights };
}

interface Named {
  readonly items: readonly { readonly name: string }[];
}

/** Places of the machine that recorded do not belong into a test. */
function withoutPlaces(text: string): string {
  return text.replaceAll(project, "/projects/flights").replaceAll(folder, "/projects").replaceAll(ROOT, "/opt/esteira");
}
