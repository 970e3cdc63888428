import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import pg from "pg";
import { silentLog, systemClock } from "#base";
import { type ImportReport, importMlflow } from "#packaging";
import { createArtifactFolder } from "#tracking";
import { mlflowPython, type MlflowClientVersion, runPython } from "../setup/mlflow-client.ts";
import { openMlflowServer, type TestMlflowServer } from "../setup/mlflow-server.ts";
import { storeKinds, temporaryFolder } from "../setup/stores.ts";

const POSTGRES_URL = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";
const script = await readFile(new URL("../protocol/mlflow/client/make_store.py", import.meta.url), "utf8");

interface MadeStore {
  readonly title: string;
  readonly version: MlflowClientVersion;
  /** What the server was started with. */
  readonly from: string;
  readonly runs: readonly [string, string, string];
  readonly far: string;
  readonly logged: string | null;
}

/** A store that MLflow itself wrote. */
async function makeStore(
  title: string,
  version: MlflowClientVersion,
  uri: (folder: string) => string,
): Promise<MadeStore> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "art"));
  const python = await mlflowPython(version);
  const printed = await runPython(python, script, {
    folder,
    arguments: [uri(folder), join(folder, "art")],
    environment: { MLFLOW_ALLOW_FILE_STORE: "true" },
  });
  return {
    title,
    version,
    from: uri(folder),
    ...(JSON.parse(printed.split("\n").at(-1) ?? "{}") as Pick<MadeStore, "runs" | "far" | "logged">),
  };
}

async function emptyDatabase(): Promise<string> {
  const name = `mlflow_${randomBytes(6).toString("hex")}`;
  const query = async (text: string): Promise<void> => {
    const client = new pg.Client(POSTGRES_URL);
    await client.connect();
    await client.query(text);
    await client.end();
  };
  await query(`create database ${name}`);
  after(() => query(`drop database if exists ${name} with (force)`));
  const url = new URL(POSTGRES_URL);
  url.pathname = name;
  return url.href.replace("postgres://", "postgresql+psycopg2://");
}

const sources = await Promise.all([
  makeStore("a SQLite database of 3.x", "3.17.2", (folder) => `sqlite:///${join(folder, "mlflow.db")}`),
  makeStore("a folder of 3.x", "3.17.2", (folder) => join(folder, "mlruns")),
  makeStore("a folder of 2.x", "2.22.5", (folder) => join(folder, "mlruns")),
  ...(storeKinds.includes("postgres")
    ? [emptyDatabase().then((address) => makeStore("a PostgreSQL database of 3.x", "3.17.2", () => address))]
    : []),
]);
const targets: { kind: string; source: MadeStore; server: TestMlflowServer }[] = [];
for (const source of sources)
  for (const kind of storeKinds) targets.push({ kind, source, server: await openMlflowServer(kind) });

for (const { kind, source, server } of targets)
  describe(`import of ${source.title} (${kind})`, () => testImport(source, server));

function testImport(source: MadeStore, server: TestMlflowServer): void {
  const [first, second, deleted] = source.runs;
  let report: ImportReport;

  const take = (): Promise<ImportReport> =>
    importMlflow({
      from: source.from,
      store: server.store,
      clock: systemClock,
      log: silentLog,
      artifacts: createArtifactFolder({ root: server.artifactFolder }),
    });
  const get = async (path: string): Promise<Record<string, never>> => {
    const response = await server.server.inject({ method: "GET", url: `/api/2.0/mlflow/${path}` });
    assert.equal(response.statusCode, 200, response.body);
    return response.json();
  };

  it("takes everything and says how much", async () => {
    report = await take();
    assert.deepEqual(report.runs, { total: 4, new: 4 });
    assert.equal(report.experiments.total, 4);
    assert.equal(report.experiments.new, 3, "Default is here already");
    assert.equal(report.modelVersions.new, source.logged === null ? 2 : 3);
    assert.equal(report.aliases.new, 2);
    assert.equal(report.metricPoints, source.logged === null ? 1508 : 1509);
    assert.equal(report.artifacts.copied, source.logged === null ? 3 : 4);
    assert.deepEqual(report.leftBehind, []);
  });

  it("keeps runs with params, tags, status, times, inputs and the whole history of metrics", async () => {
    const { run } = (await get(`runs/get?run_id=${first}`)) as unknown as {
      run: {
        info: Record<string, unknown>;
        data: { params: { key: string; value: string }[]; tags: { key: string; value: string }[]; metrics: object[] };
        inputs: { dataset_inputs: { dataset: { name: string } }[] };
      };
    };
    assert.equal(run.info["run_name"], "run 0");
    assert.equal(run.info["start_time"], 1000);
    assert.equal(run.info["status"], "FINISHED");
    assert.match(String(run.info["artifact_uri"]), new RegExp(`^mlflow-artifacts:/\\d+/${first}/artifacts$`));
    assert.deepEqual(Object.fromEntries(run.data.params.map(({ key, value }) => [key, value])), {
      "a/b": "1",
      c: "0",
      long: "p".repeat(400),
    });
    assert.equal(run.data.tags.find(({ key }) => key === "deep/tag")?.value, "y");
    assert.equal(run.inputs.dataset_inputs[0]?.dataset.name, "numbers");
    const { metrics } = (await get(
      `metrics/get-history?run_id=${first}&metric_key=loss&max_results=25000`,
    )) as unknown as { metrics: { value: number; step: number }[] };
    assert.equal(metrics.length, 1500);
    assert.deepEqual([metrics[1499]?.step, metrics[1499]?.value], [1499, 1 / 1500]);
    const odd = (
      await server.server.inject({
        method: "GET",
        url: `/api/2.0/mlflow/metrics/get-history?run_id=${first}&metric_key=odd`,
      })
    ).body;
    assert.match(odd, /"value":"NaN","timestamp":1,"step":-2/);
    assert.match(odd, /"value":1\.7976931348623157e\+?308,"timestamp":2,"step":9007199254740993/);
    const gone = (await get(`runs/get?run_id=${deleted}`)) as unknown as { run: { info: Record<string, unknown> } };
    assert.deepEqual(
      [gone.run.info["lifecycle_stage"], gone.run.info["status"], gone.run.info["end_time"]],
      ["deleted", "FAILED", 5002],
    );
    const far = (await get(`runs/get?run_id=${source.far}`)) as unknown as { run: { info: { artifact_uri: string } } };
    assert.equal(far.run.info.artifact_uri, `s3://bucket/remote/${source.far}/artifacts`);
  });

  it("keeps experiments, deleted ones too", async () => {
    const { experiment } = (await get("experiments/get-by-name?experiment_name=first")) as unknown as {
      experiment: { tags: object[]; lifecycle_stage: string };
    };
    assert.deepEqual(experiment.tags, [{ key: "team", value: "a b" }]);
    const gone = (await get("experiments/get-by-name?experiment_name=gone")) as unknown as {
      experiment: { lifecycle_stage: string };
    };
    assert.equal(gone.experiment.lifecycle_stage, "deleted");
  });

  it("keeps registered models with versions, stages, tags, aliases and numbers that are never used again", async () => {
    const { registered_model: model } = (await get("registered-models/get?name=model")) as unknown as {
      registered_model: { description: string; tags: object[]; aliases: object[] };
    };
    assert.equal(model.description, "what for");
    assert.deepEqual(model.tags, [{ key: "owner", value: "me" }]);
    assert.deepEqual(model.aliases, [
      { alias: "best", version: "3" },
      { alias: "champion", version: "1" },
    ]);
    const { model_version: version } = (await get("model-versions/get?name=model&version=1")) as unknown as {
      model_version: { current_stage: string; run_id: string; tags: object[]; source: string };
    };
    assert.deepEqual(
      [version.current_stage, version.run_id, version.tags],
      ["Production", first, [{ key: "checked", value: "yes" }]],
    );
    assert.match(version.source, new RegExp(`^mlflow-artifacts:/\\d+/${first}/artifacts/deep$`));
    const file = await server.server.inject({
      method: "GET",
      url: "/model-versions/get-artifact?name=model&version=1&path=er/text.txt",
    });
    assert.equal(file.body, "artifact 0");
    const made = await server.server.inject({
      method: "POST",
      url: "/api/2.0/mlflow/model-versions/create",
      payload: { name: "model", source: version.source },
    });
    assert.equal((made.json() as { model_version: { version: string } }).model_version.version, "4");
  });

  it("keeps logged models with params, tags, metrics and files", async () => {
    // MLflow 2.x has none.
    if (source.logged === null) return;
    const { model } = (await get(`logged-models/${source.logged}`)) as unknown as {
      model: { info: Record<string, unknown>; data: { params: object[]; metrics: Record<string, unknown>[] } };
    };
    assert.deepEqual(
      [model.info["name"], model.info["status"], model.info["model_type"], model.info["source_run_id"]],
      ["net", "LOGGED_MODEL_READY", "classifier", second],
    );
    assert.deepEqual(model.data.params, [
      { key: "depth", value: "3" },
      { key: "width", value: "8" },
    ]);
    assert.deepEqual(
      [model.data.metrics[0]?.["key"], model.data.metrics[0]?.["value"], model.data.metrics[0]?.["step"]],
      ["acc", 0.75, 4],
    );
    const { artifact_uri: uri } = (await get("model-versions/get-download-uri?name=net&version=1")) as unknown as {
      artifact_uri: string;
    };
    assert.equal(uri, model.info["artifact_uri"]);
    assert.match(uri, /^mlflow-artifacts:/);
    const { run } = (await get(`runs/get?run_id=${second}`)) as unknown as {
      run: { outputs: { model_outputs: object[] } };
    };
    assert.deepEqual(run.outputs.model_outputs, [{ model_id: source.logged, step: 2 }]);
  });

  it("can be repeated: nothing is doubled, nothing is copied again", async () => {
    const again = await take();
    assert.deepEqual(again.runs, { total: 4, new: 0 });
    assert.deepEqual(
      [
        again.experiments.new,
        again.registeredModels.new,
        again.modelVersions.new,
        again.aliases.new,
        again.loggedModels.new,
      ],
      [0, 0, 0, 0, 0],
    );
    assert.equal(again.artifacts.copied, 0);
    assert.deepEqual(again.leftBehind, []);
    const { metrics } = (await get(
      `metrics/get-history?run_id=${first}&metric_key=loss&max_results=25000`,
    )) as unknown as { metrics: object[] };
    assert.equal(metrics.length, 1500);
  });
}

describe("import of something else", () => {
  it("does not mix models of the same name: versions whose number is taken are reported", async () => {
    const [one, other] = [targets[0], targets.find(({ source }) => source.from !== targets[0]?.source.from)];
    const { server } = one ?? assert.fail("no store");
    const report = await importMlflow({
      from: other?.source.from ?? "",
      store: server.store,
      clock: systemClock,
      log: silentLog,
      artifacts: createArtifactFolder({ root: server.artifactFolder }),
    });
    assert.deepEqual([report.runs.new, report.modelVersions.new], [4, 0]);
    assert.match(report.leftBehind.map(({ what, count }) => `${count} ${what}`).join(", "), /^3 model versions$/);
  });

  it("says what was found and what is expected", async () => {
    const folder = await temporaryFolder();
    const { store } = targets[0]?.server ?? assert.fail("no store");
    const options = { store, clock: systemClock, log: silentLog, artifacts: createArtifactFolder({ root: folder }) };
    await assert.rejects(importMlflow({ ...options, from: folder }), {
      code: "METADATA_STORE_IMPORT_SOURCE_UNREADABLE",
    });
    await assert.rejects(importMlflow({ ...options, from: join(folder, "no.db") }), /there is no such file/);
    await assert.rejects(
      importMlflow({ ...options, from: "mysql://u:secret@h/db" }),
      (error: Error) => /mysql:\/\/u@h/.test(error.message) && !error.message.includes("secret"),
    );
  });
});
