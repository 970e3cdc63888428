import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, type Datasets, type DatasetWrite, vacuumDatasets } from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { describeStores, openTestStore, type TestStore } from "../setup/stores.ts";

interface Opened extends TestStore {
  readonly datasets: Datasets;
  readonly made: (write: Partial<DatasetWrite> & { select: string }) => Promise<AssetVersion>;
  readonly rows: (version: AssetVersion, sql?: string) => Promise<readonly object[]>;
}

async function openDatasets(kind: "sqlite" | "postgres"): Promise<Opened> {
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
  const made = async (write: Partial<DatasetWrite> & { select: string }): Promise<AssetVersion> => {
    const full = { project: "p", asset: "d", operationId: newId(), disposition: "append" as const, ...write };
    const version = await datasets.write(full);
    return opened.store.write(async (transaction) => {
      await datasets.settle(transaction, full);
      const { version: recorded } = await recordAssetVersion(transaction, {
        project: "p",
        madeAtMs: 1,
        actor: "engine",
        inputs: [],
        ...version,
      });
      return recorded;
    });
  };
  const rows = async (version: AssetVersion, sql = "select * from d"): Promise<readonly object[]> =>
    (await datasets.query({ sql, tables: new Map([["d", version]]) })).rows;
  return { ...opened, datasets, made, rows };
}

describeStores("datasets", (kind) => {
  it("append, replace and merge make versions that stay readable", async () => {
    const { made, rows, datasets } = await openDatasets(kind);
    const first = await made({ select: "select 1 as id, 'a' as name union all select 2, 'b'" });
    const second = await made({ select: "select 3 as id, 'c' as name" });
    const third = await made({
      select: "select 2 as id, 'B' as name union all select 4, 'd'",
      disposition: { merge: ["id"] },
    });
    const fourth = await made({ select: "select 9 as other", disposition: "replace" });
    assert.deepEqual(await rows(first, "select * from d order by id"), [
      { id: 1, name: "a" },
      { id: 2, name: "b" },
    ]);
    assert.equal((await rows(second)).length, 3);
    assert.deepEqual(await rows(third, "select string_agg(name, '' order by id) as names from d"), [{ names: "aBcd" }]);
    assert.deepEqual(await rows(fourth), [{ other: 9 }]);
    assert.equal((await datasets.snapshot(third)).rowCount, 4);
    assert.deepEqual((await datasets.preview(second, { limit: 2 })).truncated, true);
  });

  it("a page of sorted rows is a page of all rows sorted, whatever the ties, nulls last", async () => {
    const { made, datasets } = await openDatasets(kind);
    const version = await made({
      select: `select i as id, case when i % 50 = 0 then null else (i * 7919) % 97 end as late_by from range(2000) t(i)`,
    });
    const page = async (offset: number, isDescending: boolean): Promise<readonly Record<string, unknown>[]> =>
      (await datasets.preview(version, { limit: 500, offset, sort: { column: "late_by", isDescending } }))
        .rows as readonly Record<string, unknown>[];
    const all = (await Promise.all([0, 500, 1000, 1500].map((offset) => page(offset, true)))).flat();
    assert.equal(all[0]?.["late_by"], 96);
    assert.equal(new Set(all.map(({ id }) => id)).size, 2000);
    const delays = all.map((row) => row["late_by"] as number | null);
    assert.deepEqual(
      delays,
      delays.toSorted((left, right) => (left === null ? 1 : right === null ? -1 : right - left)),
    );
    assert.equal((await page(0, false))[0]?.["late_by"], 0);
    assert.equal(delays.at(-1), null);
    await assert.rejects(datasets.preview(version, { sort: { column: "dealy", isDescending: false } }), {
      code: "DATA_COLUMN_UNKNOWN",
    });
  });

  it("a vacuum takes nothing from a write that is at work, and goes through all datasets", async () => {
    const { made, rows, datasets, store, folder } = await openDatasets(kind);
    const vacuum = (dataset?: string): ReturnType<typeof vacuumDatasets> =>
      vacuumDatasets(
        { store, datasets, project: "p" },
        { dataset, retentionMs: 0, dryRun: false, signal: new AbortController().signal },
      );
    await made({ select: "select 1 as id" });
    await made({ asset: "other", select: "select 1 as id", kind: "features" });
    for (const asset of ["d", "other"]) {
      const path = join(folder, "datasets", asset, "part-left.parquet");
      await writeFile(path, "left over");
      await utimes(path, 1, 1);
    }
    const beforeCommit = async (): Promise<undefined> => {
      assert.deepEqual(
        (await vacuum("d")).map(({ removed }) => removed),
        [["part-left.parquet"]],
      );
      return undefined;
    };
    const version = await made({ select: "select 2 as id", beforeCommit });
    assert.equal((await rows(version)).length, 2);
    assert.deepEqual(
      (await vacuum()).map(({ dataset, removed }) => [dataset, removed]),
      [
        ["d", []],
        ["other", ["part-left.parquet"]],
      ],
    );
    await assert.rejects(vacuum("none"), { code: "DATA_DATASET_MISSING" });
  });

  it("a repeated operation answers with the first one's version and writes nothing", async () => {
    const { datasets, folder } = await openDatasets(kind);
    const write: DatasetWrite = {
      project: "p",
      asset: "d",
      operationId: "step:1",
      disposition: "append",
      select: "select 1 as id",
    };
    const first = await datasets.write(write);
    const again = await datasets.write(write);
    assert.deepEqual(again, first);
    assert.equal((await readdir(join(folder, "datasets/d"))).filter((name) => name.endsWith(".parquet")).length, 1);
  });

  it("an unchanged replacement keeps version and digest", async () => {
    const { made } = await openDatasets(kind);
    const first = await made({ select: "select range as id from range(1000)", disposition: "replace" });
    const second = await made({ select: "select range as id from range(1000)", disposition: "replace" });
    assert.equal(second.id, first.id);
  });

  it("new columns are added, narrower numbers fit, other types are refused by name", async () => {
    const { made, rows } = await openDatasets(kind);
    await made({ select: "select 1::bigint as id" });
    const wider = await made({ select: "select 2::integer as id, 'x' as extra" });
    assert.deepEqual(await rows(wider, "select * from d order by id"), [
      { id: 1, extra: null },
      { id: 2, extra: "x" },
    ]);
    await assert.rejects(made({ select: "select 'text' as id" }), { code: "DATA_SCHEMA_CONFLICT" });
    await assert.rejects(made({ select: 'select 1 as "a b"', disposition: "replace" }), {
      code: "DATA_COLUMN_UNSUPPORTED",
    });
  });

  it("a merge refuses keys that come twice, are null or are missing", async () => {
    const { made } = await openDatasets(kind);
    await made({ select: "select 1 as id" });
    const merge = (select: string): Promise<AssetVersion> => made({ select, disposition: { merge: ["id"] } });
    await assert.rejects(merge("select 1 as id union all select 1"), /2 new rows have the same key \(id = 1\)/);
    await assert.rejects(merge("select null::int as id"), /no value for its key/);
    await assert.rejects(merge("select 1 as ident"), /key column "id" is not among/);
  });

  it("a user's query sees the named tables and nothing else", async () => {
    const { made, rows } = await openDatasets(kind);
    const version = await made({ select: "select 1 as id" });
    await assert.rejects(rows(version, "select * from read_csv('/etc/passwd')"), { code: "DATA_QUERY_FAILED" });
    await assert.rejects(rows(version, "select 1; drop view d"), /syntax error|Parser/);
    await assert.rejects(rows(version, "copy d to '/tmp/x.csv'"), { code: "DATA_QUERY_FAILED" });
    await assert.rejects(made({ select: "select * from read_text('/etc/passwd')" }), { code: "DATA_QUERY_FAILED" });
    assert.deepEqual(await rows(version, "select id from d -- the only row"), [{ id: 1 }]);
  });

  it("what a writer left without recording it is taken back by the next one", async () => {
    const { datasets, made, rows, store } = await openDatasets(kind);
    await made({ select: "select 1 as id" });
    await datasets.write({
      project: "p",
      asset: "d",
      operationId: "dead",
      disposition: "append",
      select: "select 666 as id, 'x' as ghost",
    });
    await store.write((transaction) =>
      import("#metadata-store/data").then(({ extendDatasetWrite }) =>
        extendDatasetWrite(transaction, { project: "p", asset: "d", operationId: "dead", expiresAtMs: 0 }),
      ),
    );
    const next = await made({ select: "select 2 as id" });
    assert.deepEqual(await rows(next, "select * from d order by id"), [{ id: 1 }, { id: 2 }]);
    await assert.rejects(
      store.write((transaction) => datasets.settle(transaction, { project: "p", asset: "d", operationId: "dead" })),
      { code: "DATA_WRITE_LOST" },
    );
  });

  it("whole numbers beyond 2^53, sums, timestamps, nested values and odd names come back as they were", async () => {
    const { made, rows } = await openDatasets(kind);
    const version = await made({
      select: `select 9007199254740993 as big, sum(i) as total, timestamp '2001-01-01 00:01:00' as at, [1, 2] as list, {'a': 1, 'b': 'x'} as nested, 1.5::decimal(5, 2) as d, 'nan'::double as f, uuid '00000000-0000-0000-0000-000000000001' as u, 'it''s' as "ção" from range(5) t(i)`,
    });
    const [row] = await rows(version);
    assert.deepEqual(row, {
      big: "9007199254740993",
      total: 10,
      at: "2001-01-01T00:01:00Z",
      list: [1, 2],
      nested: { a: 1, b: "x" },
      d: "1.50",
      f: "NaN",
      u: "00000000-0000-0000-0000-000000000001",
      ção: "it's",
    });
  });
});
