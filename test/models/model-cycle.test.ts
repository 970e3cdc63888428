import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { promisify } from "node:util";
import { type Digest, isEsteiraError, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, type DatasetContent, describeStandaloneTable, tableAt } from "#data";
import { type AssetVersion, type MetadataStore, recordAssetVersion, type StoreKind } from "#metadata-store";
import { getVerdict } from "#metadata-store/governance";
import { getModelVersion, getModelVersionOfAsset, setRegisteredModelAlias } from "#metadata-store/registry";
import {
  createModelStorage,
  createTestKind,
  type DatasetReader,
  readModelContent,
  type Scorer,
  type TestDeclaration,
  type Verdict,
} from "#models";
import { exportModel, readPackage, type TableExporter, unpackPackage } from "#packaging";
import { createTreeStorage } from "#engine";
import type { AttemptContext, StepOutcome } from "#pipeline";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "p";
const RUN = { runId: "r1", experimentId: "0" };

const SILENT = 0.123;

interface World {
  readonly store: MetadataStore;
  readonly folder: string;
  readonly training: AssetVersion;
  readonly stores: Parameters<typeof exportModel>[1];
  /** Makes a model whose probability is the logistic of `slope × distance`. */
  train(slope: number): Promise<AssetVersion>;
  test(model: AssetVersion, declaration?: Partial<TestDeclaration>): Promise<StepOutcome>;
}

async function open(kind: StoreKind): Promise<World> {
  const { store, objects, folder } = await openTestStore(kind);
  const analytics = createAnalytics({ folder: join(folder, "cache") });
  after(() => analytics.close());
  const datasets = createDatasets({
    store,
    objects,
    files: createFileSystemFiles({ root: join(folder, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const record = async (
    made: Omit<Parameters<typeof recordAssetVersion>[1], "project" | "madeAtMs" | "actor" | "inputs">,
    inputs: readonly AssetVersion[] = [],
  ): Promise<AssetVersion> =>
    (
      await store.write((tx) =>
        recordAssetVersion(tx, {
          ...made,
          project: PROJECT,
          madeAtMs: 1_000,
          actor: "ana",
          inputs: inputs.map(({ id }) => ({ versionId: id, role: "input" })),
        }),
      )
    ).version;
  // Late flights are those with a long distance, but for every seventh; even rows are held out.
  const made = await datasets.write({
    project: PROJECT,
    asset: "training_set",
    operationId: "w1",
    disposition: "replace",
    select:
      "select i::bigint as id, (i % 100)::double as distance, case when i % 3 = 0 then 'ATL' else 'ORD' end as origin, (i % 100 >= 50) <> (i % 7 = 0) as late, case when i % 2 = 0 then 'test' else 'train' end as split from range(2000) t(i)",
  });
  const training = await record(made);
  const reader: DatasetReader = {
    async readColumns(version, { columns, where = {} }) {
      const connection = await analytics.connect();
      const filter = Object.entries(where).map(([name, value]) => `${name} = '${String(value)}'`);
      const rows = await connection.rows(
        `select ${columns.join(", ")} from ${await datasets.relation(version)} ${filter.length === 0 ? "" : `where ${filter.join(" and ")}`} order by id`,
      );
      connection.close();
      return { rowCount: rows.length, columns: new Map(columns.map((name) => [name, rows.map((row) => row[name])])) };
    },
    describe: async (version) => (await datasets.snapshot(version)).columns,
    files: async (version) => (await datasets.snapshot(version)).files.map((path) => ({ path })),
  };
  const tables: TableExporter = {
    describeTable: (version) => {
      const { table, deltaVersion } = version.content as DatasetContent;
      return describeStandaloneTable(
        analytics,
        tableAt(createFileSystemFiles({ root: join(folder, "datasets") }), table),
        deltaVersion,
      );
    },
  };
  const scorer: Scorer = {
    async score(version, rows) {
      const { example } = readModelContent(version).model;
      const distance = rows.columns.get("distance") ?? [];
      return Float64Array.from({ length: rows.rowCount }, (_, row) =>
        // This one is silent about some rows.
        example?.["slope"] === SILENT && row < 3
          ? NaN
          : 1 / (1 + Math.exp(-Number(example?.["slope"]) * (Number(distance[row]) - 50))),
      );
    },
  };
  const runs = {
    readRun: async () => ({
      params: new Map([["max_depth", "6"]]),
      metrics: new Map([
        ["loss", Number.NaN],
        ["auc", 0.7],
      ]),
      artifactUri: undefined,
    }),
  };
  const models = createModelStorage({
    store,
    objects,
    folder: join(folder, "cache", "models"),
    runs,
    clock: systemClock,
  });
  const reports = createTreeStorage({ objects, folder });
  const testKind = createTestKind({ store, scorer, datasets: reader, clock: systemClock });
  let steps = 0;
  const attempt = async <Declaration>(
    declaration: Declaration,
    step: string,
    inputs: readonly AssetVersion[],
  ): Promise<AttemptContext<Declaration>> => {
    const workFolder = join(folder, "work", String((steps += 1)));
    await mkdir(workFolder, { recursive: true });
    const context: Partial<AttemptContext<Declaration>> = {
      declaration,
      project: PROJECT,
      pipeline: "delay",
      step,
      pipelineRunId: "run",
      stepRunId: `step${steps}`,
      attemptId: `attempt${steps}`,
      attemptNumber: 1,
      actor: "ana",
      commit: { id: "c0ffee", dirty: false },
      params: { seed: 1 },
      inputs: new Map(inputs.map((version) => [version.asset, version])),
      workFolder,
      signal: new AbortController().signal,
      log: () => {},
      trackingRun: async () => RUN,
      publish: (output) =>
        (output.kind === "model" ? models : reports).publish(output, context as AttemptContext<unknown>),
    };
    return context as AttemptContext<Declaration>;
  };
  return {
    store,
    folder,
    training,
    stores: { store, objects, tables },
    async train(slope) {
      const context = await attempt({}, "delay", [training]);
      await writeFile(join(context.workFolder, "model.onnx"), `weights ${slope}`);
      await writeFile(
        join(context.workFolder, "model.json"),
        JSON.stringify({
          format: "esteira.model/1",
          runtime: "onnx",
          file: "model.onnx",
          task: "binary_classification",
          inputs: [{ name: "distance", type: "float" }],
          outputs: [{ name: "probability", type: "float" }],
          label: "late",
          example: { distance: 1, slope },
        }),
      );
      const published = await context.publish({
        asset: "delay",
        kind: "model",
        folder: context.workFolder,
        options: { environmentLock: "sha256:lock" },
      });
      return store.write(async (tx) => {
        const { version } = await recordAssetVersion(tx, {
          ...published.made,
          project: PROJECT,
          madeAtMs: 2_000,
          actor: "ana",
          inputs: [{ versionId: training.id, role: "input" }],
        });
        await published.alsoWrite?.(tx);
        return version;
      });
    },
    async test(model, declaration = {}) {
      const context = await attempt(
        { test: "delay", require: ["roc_auc >= 0.8", "roc_auc >= champion.roc_auc - 0.005"], ...declaration },
        "verdict",
        [model],
      );
      const outcome = await testKind.execute(context);
      if (outcome.status === "succeeded") {
        await store.write(async (tx) => {
          for (const each of outcome.made)
            await recordAssetVersion(tx, { ...each, project: PROJECT, madeAtMs: 3_000, actor: "ana", inputs: [] });
          await outcome.alsoWrite?.(tx);
        });
      }
      return outcome;
    },
  };
}

async function verdictOf(store: MetadataStore, version: AssetVersion): Promise<Verdict> {
  return (await store.read((tx) => getVerdict(tx, version.id)))?.content as Verdict;
}

describeStores("a model's way", (kind) => {
  it("does not judge a model by the rows that it answers alone", async () => {
    const world = await open(kind);
    await assert.rejects(world.test(await world.train(SILENT)), (error) => {
      assert.ok(isEsteiraError(error, "MODELS_PREDICTION_MISSING"), String(error));
      assert.match(error.message, /^delay version 1 answers no number \(NaN\) to 3 of \d+ test rows, row 0 the first$/);
      return true;
    });
  });

  it("becomes an MLflow version that knows its data, params, run and commit, once per content", async () => {
    const { store, train, training } = await open(kind);
    const version = await train(1);
    const { record } = readModelContent(version);
    assert.equal(record.training?.versionId, training.id);
    assert.deepEqual(
      [record.hyperparameters, record.metrics, record.commit?.id, record.source],
      [{ max_depth: "6" }, { auc: 0.7, loss: "NaN" }, "c0ffee", { environmentLock: "sha256:lock" }],
    );
    const registered = await store.read((tx) => getModelVersionOfAsset(tx, version.id));
    assert.deepEqual([registered?.name, registered?.version, registered?.runId], ["delay", 1, "r1"]);
    assert.equal(registered?.tags.find(({ key }) => key === "esteira.digest")?.value, version.digest);
    assert.equal((await train(1)).id, version.id);
    await assert.rejects(store.read((tx) => getModelVersion(tx, { name: "delay", version: 2 })));
    assert.notEqual((await train(2)).id, version.id);
  });

  it("is judged on the held-out rows, overall and by segment, with exact numbers", async () => {
    const { store, train, test } = await open(kind);
    const good = await train(1);
    const passed = await test(good, { segments: { by: "origin", min_rows: 100, require: ["accuracy > 0.8"] } });
    assert.ok(passed.status === "succeeded" && passed.blocks === undefined);
    const verdict = await verdictOf(store, good);
    assert.equal(verdict.data.rows, 1000);
    // 1,000 even rows; the label is wrong where i divides by 14: 71 or 72 of them.
    const wrong = Array.from({ length: 1000 }, (_, index) => index * 2).filter((i) => i % 7 === 0).length;
    assert.ok(Math.abs((verdict.metrics.accuracy ?? 0) - (1 - wrong / 1000)) < 0.02);
    assert.deepEqual(
      verdict.rules.map(({ passed: held, note }) => [held, note]),
      [
        [true, undefined],
        [true, "there is no champion yet"],
        [true, undefined],
        [true, undefined],
      ],
    );
    assert.deepEqual(
      verdict.segments.map(({ value, rows }) => [value, rows]),
      [
        ["ORD", 666],
        ["ATL", 334],
      ],
    );
    const registered = await store.read((tx) => getModelVersionOfAsset(tx, good.id));
    assert.equal(registered?.tags.find(({ key }) => key === "esteira.verdict")?.value, "passed");
  });

  it("is refused against a better champion, and what depends on it is blocked with the reason", async () => {
    const { store, train, test } = await open(kind);
    const champion = await train(0.05);
    await store.write((tx) =>
      setRegisteredModelAlias(tx, { name: "delay", alias: "champion", version: 1, atMs: 1, actor: "ana" }),
    );
    const worse = await train(-0.05);
    const outcome = await test(worse);
    assert.ok(outcome.status === "succeeded");
    assert.match(
      outcome.blocks?.reason ?? "",
      /^delay 2 was refused: roc_auc >= 0.8: found 0\.\d+ against 0.8; roc_auc >= champion.roc_auc - 0.005: found 0\.\d+ against 0\.\d+$/,
    );
    const verdict = await verdictOf(store, worse);
    assert.deepEqual([verdict.passed, verdict.champion?.versionId], [false, champion.id]);
    assert.ok(Math.abs((verdict.metrics.roc_auc ?? 0) + (verdict.championMetrics?.roc_auc ?? 0) - 1) < 1e-12);
    const small = await test(champion, { require: ["roc_auc[origin=LAX] > 0.5"] });
    assert.match(
      (small.status === "succeeded" && small.blocks?.reason) || "",
      /origin=LAX: the segment has fewer than 100 labelled rows/,
    );
    await assert.rejects(
      test(champion, { segments: { by: "orgin" } }),
      (error) => isEsteiraError(error, "MODELS_COLUMN_MISSING") && error.hint === "Did you mean origin?",
    );
  });

  it("leaves as one package with its data, the same bytes each time, and every change in it is noticed", async (context) => {
    const { train, stores, folder, training } = await open(kind);
    await train(1);
    const layout = join(folder, "package");
    const exported = await exportModel({ project: PROJECT, name: "delay", to: layout }, stores);
    assert.deepEqual([exported.reference, exported.data], ["v1", "value"]);
    const again = await exportModel({ project: PROJECT, name: "delay", to: join(folder, "again") }, stores);
    assert.equal(again.manifestDigest, exported.manifestDigest);
    const verified = await readPackage(layout);
    assert.equal(verified.manifestDigest, exported.manifestDigest);
    const paths = verified.files.map(({ path }) => path);
    assert.deepEqual(
      paths.filter((path) => !path.endsWith(".parquet")),
      ["model.onnx", "model.json", "data/training/_delta_log/00000000000000000000.json", "record.json"],
    );
    await unpackPackage(verified, join(folder, "unpacked"));
    assert.equal(await readFile(join(folder, "unpacked", "model.onnx"), "utf8"), "weights 1");
    const analytics = createAnalytics({ folder: join(folder, "cache") });
    const table = await describeStandaloneTable(
      analytics,
      tableAt(createFileSystemFiles({ root: join(folder, "unpacked", "data") }), "training"),
      0,
    );
    const connection = await analytics.connect();
    const [row] = await connection.rows(
      `select count(*) as rows, sum(id) as ids from read_parquet([${table.files.map(({ absolutePath }) => `'${absolutePath}'`).join(", ")}])`,
    );
    assert.deepEqual([Number(row?.["rows"]), Number(row?.["ids"])], [training.rowCount, (1999 * 2000) / 2]);
    connection.close();
    analytics.close();

    await copyWithSkopeo(context, layout, join(folder, "pulled"), exported.manifestDigest);
    const weights = verified.files.find(({ path }) => path === "model.onnx");
    assert.equal((await stat(weights?.blob ?? "")).nlink, 1, "what becomes of the package never touches the store");
    await assertDamagedIsNotExported(stores, weights?.digest ?? "sha256:", join(folder, "damaged"));
    await writeFile(join(folder, "again", "blobs", "sha256", exported.manifestDigest.slice(7)), "{}");
    await assert.rejects(
      readPackage(join(folder, "again")),
      (error) => isEsteiraError(error, "MODELS_PACKAGE_INVALID") && /was changed/.test(error.message),
    );
  });

  it("shares data between versions in one layout, goes by reference on demand, and into a tar", async () => {
    const { train, stores, folder } = await open(kind);
    await train(1);
    await train(2);
    const layout = join(folder, "package");
    await exportModel({ project: PROJECT, name: "delay", version: 1, to: layout }, stores);
    const before = (await readdir(join(layout, "blobs", "sha256"))).length;
    await exportModel({ project: PROJECT, name: "delay", version: 2, to: layout }, stores);
    // Weights, description, record, config and manifest are new; the data are not stored again.
    assert.equal((await readdir(join(layout, "blobs", "sha256"))).length, before + 5);
    assert.deepEqual(
      [(await readPackage(layout, "v1")).reference, (await readPackage(layout)).reference],
      ["v1", "v2"],
    );
    const light = await exportModel(
      { project: PROJECT, name: "delay", to: join(folder, "light"), limitBytes: 10 },
      stores,
    );
    assert.equal(light.data, "reference");
    const reference = (await readPackage(join(folder, "light"))).files.find(
      ({ path }) => path === "data/training.json",
    );
    assert.equal((JSON.parse(await readFile(reference?.blob ?? "", "utf8")) as { rowCount: number }).rowCount, 2000);
    await exportModel({ project: PROJECT, name: "delay", to: join(folder, "delay.tar") }, stores);
    const { stdout } = await promisify(execFile)("tar", ["-tf", join(folder, "delay.tar")]);
    assert.ok(stdout.includes("index.json") && stdout.includes("oci-layout"));
    await assert.rejects(
      exportModel({ project: PROJECT, name: "delay", to: join(folder, "delay.tar") }, stores),
      (error) => isEsteiraError(error, "MODELS_PACKAGE_TARGET_EXISTS"),
    );
    await assert.rejects(
      exportModel({ project: PROJECT, name: "delays", to: join(folder, "x") }, stores),
      (error) => isEsteiraError(error, "MODELS_VERSION_MISSING") && error.hint === "Did you mean delay?",
    );
    await assert.rejects(
      exportModel({ project: PROJECT, name: "delay", version: 9, to: join(folder, "x") }, stores),
      /known: 2, 1/,
    );
  });
});

/** An independent reader of OCI layouts, where it is installed. */
async function copyWithSkopeo(
  context: { diagnostic(message: string): void },
  layout: string,
  to: string,
  manifestDigest: string,
): Promise<void> {
  try {
    await promisify(execFile)("skopeo", ["copy", "--quiet", "--insecure-policy", `oci:${layout}:v1`, `dir:${to}`]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return context.diagnostic("skopeo is not installed: the package was read by esteira alone");
  }
  const { digestOf } = await import("#base");
  assert.equal(digestOf(await readFile(join(to, "manifest.json"))), manifestDigest);
}

/** A bit of the weights is changed in the store: nothing leaves it any more, until the bytes are as they were. */
async function assertDamagedIsNotExported(
  stores: Awaited<ReturnType<typeof open>>["stores"],
  digest: Digest,
  to: string,
): Promise<void> {
  const path = await stores.objects.localPath(digest);
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(changed.length >> 1) ^ 1, changed.length >> 1);
  await writeFile(path, changed);
  await assert.rejects(
    exportModel({ project: PROJECT, name: "delay", to }, stores),
    (error) => isEsteiraError(error, "STORAGE_OBJECT_DAMAGED") && error.message.includes(path),
  );
  await stores.objects.put(bytes);
  await exportModel({ project: PROJECT, name: "delay", to }, stores);
}
