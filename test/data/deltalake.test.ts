import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { newId, silentLog, systemClock } from "#base";
import {
  type CaptureDeclaration,
  createAnalytics,
  createDatasets,
  type DatasetContent,
  type DatasetWrite,
  restoreDataset,
} from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import { testPython } from "../setup/python-environment.ts";
import { openTestStore } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

interface PythonView {
  readonly versions: readonly {
    readonly version: number;
    readonly rows: readonly Record<string, unknown>[];
    readonly schema: { fields: { name: string; type: unknown }[] };
    readonly stats: readonly Record<string, unknown>[];
  }[];
  readonly history: readonly Record<string, unknown>[];
}

describe("Python deltalake", () => {
  let python = "";
  before(async () => {
    const found = await testPython(["deltalake", "pyarrow"]);
    assert.ok("python" in found, "problem" in found ? found.problem : "");
    python = found.python;
  });
  const read = (path: string): PythonView =>
    JSON.parse(
      execFileSync(python, [script("deltalake-read.py"), path], { encoding: "utf8", maxBuffer: 1 << 28 }),
    ) as PythonView;
  const act = (path: string, ...operations: string[]): void =>
    void execFileSync(python, [script("deltalake-write.py"), path, ...operations], {
      stdio: ["ignore", "ignore", "pipe"],
    });

  async function open(): Promise<{
    path: string;
    made: (write: Partial<DatasetWrite> & { select: string }) => Promise<AssetVersion>;
    rows: (version: AssetVersion, sql: string) => Promise<readonly Record<string, unknown>[]>;
    folder: string;
    foreign: (path: string, version: number, tableId: string) => AssetVersion;
  }> {
    const { store, objects, folder } = await openTestStore("sqlite");
    const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 2 });
    after(() => analytics.close());
    const datasets = createDatasets({
      store,
      objects,
      files: createFileSystemFiles({ root: join(folder, "datasets") }),
      analytics,
      clock: systemClock,
      log: silentLog,
    });
    const made = async (write: Partial<DatasetWrite> & { select: string }): Promise<AssetVersion> => {
      const full = { project: "p", asset: "d", operationId: newId(), disposition: "append" as const, ...write };
      const version = await datasets.write(full);
      return store.write(async (transaction) => {
        await datasets.settle(transaction, full);
        return (
          await recordAssetVersion(transaction, { project: "p", madeAtMs: 1, actor: "engine", inputs: [], ...version })
        ).version;
      });
    };
    return {
      path: join(folder, "datasets", "d"),
      folder,
      made,
      rows: async (version, sql) => (await datasets.query({ sql, tables: new Map([["d", version]]) })).rows,
      foreign: (table, deltaVersion, tableId) =>
        ({
          id: "x",
          project: "p",
          asset: table,
          kind: "data",
          version: 1,
          digest: "sha256:0",
          madeAtMs: 0,
          pipelineRunId: undefined,
          stepRunId: undefined,
          rowCount: undefined,
          sizeBytes: undefined,
          content: { format: "delta/1", table, deltaVersion, tableId },
        }) as unknown as AssetVersion,
    };
  }

  it("reads the same rows, schema and statistics of every version: appends, replacement, merge, new column, checkpoint", async () => {
    const { path, made, rows } = await open();
    const versions = [
      await made({
        select:
          "select range::bigint as id, 'n' || range as name, range / 3.0 as share, timestamptz '2001-01-01 00:00:00.0001Z' + to_hours(range::int) as seen, date '2001-01-01' as day, range % 2 = 0 as even, 1.25::decimal(9, 2) as price from range(1000)",
      }),
    ];
    for (let number = 0; number < 9; number++)
      versions.push(await made({ select: `select ${2000 + number}::bigint as id, 'x' as name` }));
    versions.push(
      await made({
        select: "select 5::bigint as id, 'merged' as name, 9007199254740993::bigint as big",
        disposition: { merge: ["id"] },
      }),
    );
    versions.push(
      await made({ select: "select 1::bigint as id, [1, 2] as list, {'a': 'x'} as nested", disposition: "replace" }),
    );
    const seen = read(path);
    assert.equal(seen.versions.length, versions.length);
    for (const [number, version] of versions.entries()) {
      const ours = await rows(
        version,
        "select count(*)::int as n, sum(id)::bigint as ids, md5(string_agg(id, ',' order by id)) as digest from d",
      );
      const theirs = seen.versions[number]?.rows ?? [];
      assert.deepEqual(
        [theirs.length, theirs.reduce((sum, row) => sum + Number(row["id"]), 0)],
        [ours[0]?.["n"], ours[0]?.["ids"]],
        `version ${number}`,
      );
    }
    const first = seen.versions[0];
    assert.deepEqual(first?.rows[2], {
      id: 2,
      name: "n2",
      share: 2 / 3,
      seen: "2001-01-01 02:00:00.000100+00:00",
      day: "2001-01-01",
      even: true,
      price: "1.25",
    });
    assert.deepEqual(
      first?.schema.fields.map(({ type }) => type),
      ["long", "string", "double", "timestamp", "date", "boolean", "decimal(9,2)"],
    );
    assert.deepEqual(
      [
        first?.stats[0]?.["num_records"],
        first?.stats[0]?.["min.id"],
        first?.stats[0]?.["max.id"],
        first?.stats[0]?.["null_count.id"],
        first?.stats[0]?.["max.price"],
      ],
      [1000, 0, 999, 0, "1.25"],
    );
    assert.ok(
      seen.versions[10]?.rows.some(
        (row) => row["big"] === 9007199254740993n || String(row["big"]) === "9007199254740992",
      ),
    );
    assert.equal(seen.history[0]?.["operation"], "WRITE");
    assert.deepEqual(seen.versions.at(-1)?.rows, [{ id: 1, list: [1, 2], nested: { a: "x" } }]);
  });

  it("reads the same rows after a file was superseded, held back for its type, and a version restored; and columns with odd names", async () => {
    const { folder, storeFolder, runCapture, rows, store, datasets } = await openDataProject("sqlite");
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" } };
    await writeFile(join(folder, "a.csv"), 'Creative Type,"n ""of"" x",Ação\nfilm,1,2\nplay,3,4\n');
    await writeFile(join(folder, "b.csv"), 'Creative Type,"n ""of"" x",Ação\nbook,5,6\n');
    const first = (await runCapture(declaration)).versions[0];
    await writeFile(join(folder, "a.csv"), 'Creative Type,"n ""of"" x",Ação\nfilm,10,2\n');
    await writeFile(join(folder, "c.csv"), "Creative Type,Ação\nx,ten\ny,two\n");
    const { versions, outcome } = await runCapture(declaration);
    assert.equal(outcome.facts?.["filesHeldBack"], 1);
    const { version: restored } = await restoreDataset(
      { store, datasets, clock: systemClock, project: "p" },
      { dataset: "d", version: 1, actor: "me" },
    );
    const seen = read(join(storeFolder, "datasets/d"));
    const ofDelta = (version: AssetVersion | undefined): readonly Record<string, unknown>[] =>
      seen.versions[(version?.content as DatasetContent | undefined)?.deltaVersion ?? -1]?.rows ?? [];
    const sorted = (list: readonly Record<string, unknown>[]): unknown[] =>
      list.map((row) => JSON.stringify(row)).sort();
    for (const version of [first, versions[0], restored])
      assert.deepEqual(sorted(ofDelta(version)), sorted(await rows(version, "select * from d")));
    assert.deepEqual(
      sorted(ofDelta(versions[0])),
      sorted([
        { Creative_Type: "film", n_of_x: 10, Ação: 2 },
        { Creative_Type: "book", n_of_x: 5, Ação: 6 },
      ]),
    );
    assert.deepEqual(sorted(ofDelta(restored)), sorted(ofDelta(first)));
    assert.deepEqual([restored.version, restored.digest], [3, first?.digest]);
  });

  it("may append, merge, compact, delete and checkpoint, and we go on from there", async () => {
    const { path, made, rows } = await open();
    await made({ select: "select range::bigint as id, 'n' || range as name from range(5)" });
    await made({ select: "select 7::bigint as id, 'seven' as name" });
    act(path, "append", "merge", "compact", "checkpoint", "delete");
    const version = await made({ select: "select 8::bigint as id, 'eight' as name" });
    assert.deepEqual(await rows(version, "select id, name from d order by id"), [
      { id: 0, name: "n0" },
      { id: 1, name: "changed" },
      { id: 2, name: "n2" },
      { id: 3, name: "n3" },
      { id: 4, name: "n4" },
      { id: 7, name: "seven" },
      { id: 8, name: "eight" },
      { id: 101, name: "merged" },
    ]);
    assert.equal(read(path).versions.at(-1)?.rows.length, 8);
  });

  it("makes partitioned tables that we read, and tables with features that we refuse by name", async () => {
    const { folder, rows, foreign } = await open();
    const table = (name: string): string => join(folder, "datasets", name);
    act(table("parts"), "partitioned");
    const idOf = async (name: string): Promise<string> =>
      (
        JSON.parse(
          (await readFile(join(table(name), "_delta_log", "0".repeat(20) + ".json"), "utf8"))
            .split("\n")
            .find((line) => line.includes("metaData")) ?? "{}",
        ) as { metaData: { id: string } }
      ).metaData.id;
    assert.deepEqual(await rows(foreign("parts", 0, await idOf("parts")), "select id, part, day from d order by id"), [
      { id: 1, part: "a b", day: "1970-01-02" },
      { id: 2, part: "c/d=1", day: "1970-01-03" },
      { id: 3, part: null, day: null },
    ]);
    act(table("features"), "features");
    await assert.rejects(
      rows(foreign("features", 1, await idOf("features")), "select * from d"),
      /feature "deletionVectors", which cannot be read/,
    );
  });
});
