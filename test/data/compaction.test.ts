import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, type DatasetContent, type Datasets, type DatasetWrite } from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { extendDatasetWrite } from "#metadata-store/data";
import { describeStores, openTestStore, type TestStore } from "../setup/stores.ts";

interface Opened extends TestStore {
  readonly datasets: Datasets;
  readonly write: (
    write: Partial<DatasetWrite> & { select: string },
  ) => Promise<{ readonly record: () => Promise<AssetVersion>; readonly operationId: string }>;
  readonly append: (id: number) => Promise<AssetVersion>;
  readonly ids: (version: AssetVersion) => Promise<readonly unknown[]>;
  readonly actions: (version: number) => Promise<readonly Record<string, Record<string, unknown>>[]>;
}

async function open(kind: "sqlite" | "postgres"): Promise<Opened> {
  const opened = await openTestStore(kind);
  const analytics = createAnalytics({ folder: join(opened.folder, "spill"), threads: 2 });
  after(() => analytics.close());
  const datasets = createDatasets({
    store: opened.store,
    objects: opened.objects,
    files: createFileSystemFiles({ root: join(opened.folder, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const connection = await analytics.connect();
  after(() => connection.close());
  const write: Opened["write"] = async (more) => {
    const full = {
      project: "p",
      asset: "d",
      operationId: newId(),
      disposition: "append" as const,
      connection,
      ...more,
    };
    const made = await datasets.write(full);
    const record = (): Promise<AssetVersion> =>
      opened.store.write(async (transaction) => {
        await datasets.settle(transaction, full);
        return (
          await recordAssetVersion(transaction, { project: "p", madeAtMs: 1, actor: "engine", inputs: [], ...made })
        ).version;
      });
    return { record, operationId: full.operationId };
  };
  return {
    ...opened,
    datasets,
    write,
    append: async (id) => (await write({ select: `select ${id}::bigint as id` })).record(),
    ids: async (version) =>
      (await datasets.query({ sql: "select id from d", tables: new Map([["d", version]]) })).rows.map(({ id }) => id),
    actions: async (version) =>
      (
        await readFile(
          join(opened.folder, "datasets/d/_delta_log", `${String(version).padStart(20, "0")}.json`),
          "utf8",
        )
      )
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>),
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id);

describeStores("compaction", (kind) => {
  it("writes small files as one in order, in a commit that changes no row, and every version keeps its rows", async () => {
    const { append, ids, datasets, actions, folder } = await open(kind);
    const versions: AssetVersion[] = [];
    for (const id of upTo(5)) versions.push(await append(id));
    const [first, latest] = [versions[1], versions.at(-1)] as [AssetVersion, AssetVersion];
    assert.equal((await datasets.snapshot(latest)).files.length, 5);
    assert.deepEqual(await datasets.compact({ project: "p", asset: "d" }), {
      filesBefore: 5,
      filesAfter: 1,
      isUnfinished: false,
    });
    assert.equal((await datasets.snapshot(latest)).files.length, 1);
    assert.deepEqual(
      [await ids(latest), await ids(first)],
      [
        [0, 1, 2, 3, 4],
        [0, 1],
      ],
    );
    const [info, ...others] = await actions(5);
    assert.equal(info?.["commitInfo"]?.["operation"], "OPTIMIZE");
    assert.ok(others.length === 6 && others.every(({ add, remove }) => (add ?? remove)?.["dataChange"] === false));
    assert.deepEqual(await ids(await append(5)), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(await datasets.vacuum({ project: "p", asset: "d", retentionMs: 0 }), {
      removed: [],
      sizeBytes: 0,
    });
    assert.equal((await readdir(join(folder, "datasets/d"))).filter((name) => name.endsWith(".parquet")).length, 7);
    for (const [number, version] of versions.entries()) assert.deepEqual(await ids(version), upTo(number + 1));
    assert.deepEqual(await datasets.compact({ project: "p", asset: "d" }), {
      filesBefore: 2,
      filesAfter: 1,
      isUnfinished: false,
    });
    assert.deepEqual(await datasets.compact({ project: "p", asset: "d" }), {
      filesBefore: 1,
      filesAfter: 1,
      isUnfinished: false,
    });
  });

  it("happens by itself, so that the latest of many versions opens few files and the log stays small", async () => {
    const { append, ids, datasets, folder } = await open(kind);
    const versions: AssetVersion[] = [];
    for (const id of upTo(82)) versions.push(await append(id));
    assert.ok((await datasets.snapshot(versions.at(-1) as AssetVersion)).files.length < 20);
    assert.deepEqual(await ids(versions.at(-1) as AssetVersion), upTo(82));
    assert.deepEqual(await ids(versions[50] as AssetVersion), upTo(51));
    const checkpoints = (await readdir(join(folder, "datasets/d/_delta_log"))).filter((name) =>
      name.endsWith(".checkpoint.parquet"),
    );
    assert.ok(checkpoints.length >= 4 && checkpoints.length < 8, String(checkpoints.length));
  });

  it("keeps which file each row came from, so that a changed file still supersedes its rows", async () => {
    const { write, ids, datasets, actions } = await open(kind);
    const digests = ["a", "b", "c"].map((letter) => `sha256:${letter.repeat(64)}` as const);
    let latest: AssetVersion | undefined;
    for (const [index, digest] of digests.entries())
      latest = await (
        await write({ select: `select unnest([${index}, ${index + 10}])::bigint as id`, source: digest })
      ).record();
    await datasets.compact({ project: "p", asset: "d" });
    const added = (await actions(3)).find(({ add }) => add !== undefined)?.["add"] as {
      readonly tags: Record<string, string>;
    };
    assert.deepEqual(
      JSON.parse(added.tags["esteira.sources"] ?? ""),
      digests.map((digest) => [digest.slice(7, 39), 2]),
    );
    latest = await (
      await write({
        select: "select 99::bigint as id",
        source: `sha256:${"d".repeat(64)}`,
        supersedes: [{ digest: digests[1] as `sha256:${string}`, path: "b.csv", rows: 2 }],
      })
    ).record();
    assert.deepEqual(
      (await ids(latest)).map(Number).sort((left, right) => left - right),
      [0, 2, 10, 12, 99],
    );
  });

  it("can be undone with the rows of a writer that died before its version was recorded", async () => {
    const { append, write, ids, datasets, store } = await open(kind);
    await append(0);
    const dead = [await write({ select: "select 666::bigint as id", operationId: "dead" })];
    // The same attempt goes on, has its own files compacted among others, and dies as well.
    for (let number = 1; number < 70; number++)
      dead.push(
        await write({
          select: `select ${600 + number}::bigint as id`,
          operationId: `dead ${number}`,
          follows: dead.map(({ operationId }) => operationId),
        }),
      );
    await store.write(async (transaction) => {
      for (const { operationId } of dead)
        await extendDatasetWrite(transaction, { project: "p", asset: "d", operationId, expiresAtMs: 0 });
    });
    assert.equal((await datasets.compact({ project: "p", asset: "d" })).isUnfinished, true);
    assert.deepEqual(await ids(await append(1)), [0, 1]);
  });

  it("goes on beside other writers", async () => {
    const { append, ids, datasets } = await open(kind);
    for (const id of upTo(4)) await append(id);
    const [, , latest] = await Promise.all([
      datasets.compact({ project: "p", asset: "d" }),
      datasets.compact({ project: "p", asset: "d" }),
      append(4),
    ]);
    assert.deepEqual(await ids(latest), upTo(5));
    assert.deepEqual((await ids(await append(5))).map(Number), upTo(6));
    assert.ok(((await append(6)).content as unknown as DatasetContent).deltaVersion >= 7);
  });
});
