import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { newId, silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, type DatasetContent, type Datasets, type DatasetWrite } from "#data";
import { type AssetVersion, type MetadataStore, recordAssetVersion } from "#metadata-store";
import type { Blobs } from "#storage";
import { openTestStore } from "../setup/stores.ts";

describe("Delta tables", () => {
  let opened: { store: MetadataStore; objects: Blobs; folder: string };
  const open = async (): Promise<void> => {
    opened = await openTestStore("sqlite");
  };
  /** As another process sees them: nothing remembered. */
  function fresh(): Datasets {
    const analytics = createAnalytics({ folder: join(opened.folder, "spill"), threads: 2 });
    after(() => analytics.close());
    return createDatasets({
      store: opened.store,
      objects: opened.objects,
      files: createFileSystemFiles({ root: join(opened.folder, "datasets") }),
      analytics,
      clock: systemClock,
      log: silentLog,
    });
  }
  async function made(
    asset: string,
    select: string,
    disposition: DatasetWrite["disposition"] = "append",
  ): Promise<AssetVersion> {
    const write = { project: "p", asset, operationId: newId(), disposition, select };
    const datasets = fresh();
    const version = await datasets.write(write);
    return opened.store.write(async (transaction) => {
      await datasets.settle(transaction, write);
      return (
        await recordAssetVersion(transaction, { project: "p", madeAtMs: 1, actor: "engine", inputs: [], ...version })
      ).version;
    });
  }
  const count = async (version: AssetVersion): Promise<unknown> =>
    (await fresh().query({ sql: "select count(*)::int as n from d", tables: new Map([["d", version]]) })).rows[0]?.[
      "n"
    ];
  const entry = (asset: string, version: number, suffix = "json"): string =>
    join(opened.folder, "datasets", asset, "_delta_log", `${String(version).padStart(20, "0")}.${suffix}`);

  it("are read from the newest checkpoint, also when older log entries and the hint are gone", async () => {
    await open();
    const versions: AssetVersion[] = [];
    for (let number = 0; number < 13; number++)
      versions.push(await made("checkpointed", `select ${number} as id`, number === 5 ? "replace" : "append"));
    const names = await readdir(join(opened.folder, "datasets/checkpointed/_delta_log"));
    assert.ok(names.includes(`${"10".padStart(20, "0")}.checkpoint.parquet`));
    assert.deepEqual(
      JSON.parse(await readFile(join(opened.folder, "datasets/checkpointed/_delta_log/_last_checkpoint"), "utf8"))
        .version,
      10,
    );
    for (let number = 0; number < 10; number++) await rm(entry("checkpointed", number));
    await writeFile(join(opened.folder, "datasets/checkpointed/_delta_log/_last_checkpoint"), "not json");
    assert.equal(await count(versions.at(-1) as AssetVersion), 8);
    assert.equal(await count(versions[10] as AssetVersion), 6);
    await assert.rejects(count(versions[3] as AssetVersion), { code: "DATA_VERSION_MISSING" });
  });

  it("are refused, never guessed, when the log is damaged or of another table", async () => {
    await open();
    const first = await made("damaged", "select 1 as id");
    await made("damaged", "select 2 as id");
    const last = await made("damaged", "select 3 as id");
    const text = await readFile(entry("damaged", 1), "utf8");
    await rm(entry("damaged", 1));
    await assert.rejects(count(last), /log entry 1 is missing between others/);
    await writeFile(entry("damaged", 1), text.slice(0, -20));
    await assert.rejects(count(last), /log entry 1 is not JSON lines/);
    await writeFile(entry("damaged", 1), text);
    assert.equal(await count(last), 3);
    const content = first.content as DatasetContent;
    await assert.rejects(count({ ...first, content: { ...content, tableId: "another" } }), {
      code: "DATA_TABLE_CORRUPT",
    });
    await assert.rejects(count({ ...first, content: { ...content, deltaVersion: 99 } }), {
      code: "DATA_VERSION_MISSING",
    });
    await assert.rejects(count({ ...first, content: { ...content, table: "nowhere" } }), {
      code: "DATA_TABLE_MISSING",
    });
    const protocol = JSON.stringify({ protocol: { minReaderVersion: 4, minWriterVersion: 7 } });
    await writeFile(entry("damaged", 3), `${protocol}\n`);
    await assert.rejects(made("damaged", "select 4 as id"), /uses reader version 4, which cannot be read/);
  });

  it("take a foreign append that comes in between, and belong to one project", async () => {
    await open();
    await made("shared", "select 1 as id");
    const add =
      (await readFile(entry("shared", 0), "utf8")).split("\n").find((line) => line.startsWith('{"add"')) ?? "";
    await writeFile(
      entry("shared", 1),
      `{"commitInfo":{"operation":"WRITE","isBlindAppend":true}}\n${add.replace(/part-[^"]+/, (name) => name)}\n`,
    );
    const next = await made("shared", "select 2 as id");
    assert.deepEqual([(next.content as DatasetContent).deltaVersion, await count(next)], [2, 2]);
    const write = {
      project: "other",
      asset: "shared",
      operationId: newId(),
      disposition: "append" as const,
      select: "select 3 as id",
    };
    await assert.rejects(fresh().write(write), { code: "DATA_TABLE_FOREIGN" });
  });

  it("keep a merge equal to a map of rows by key, whatever comes", async () => {
    await open();
    const expected = new Map<number, number>();
    let state = 42;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    let version: AssetVersion | undefined;
    for (let round = 0; round < 12; round++) {
      const rows = new Map(Array.from({ length: random(30) }, () => [random(60), random(1000)] as const));
      for (const [key, value] of rows) expected.set(key, value);
      const values = [...rows].map(([key, value]) => `(${key}, ${value})`).join(", ");
      version = await made(
        "merged",
        rows.size === 0 ? "select 1 as key, 1 as value where false" : `select * from (values ${values}) t(key, value)`,
        { merge: ["key"] },
      );
      const found = (
        await fresh().query({ sql: "select key, value from d order by key", tables: new Map([["d", version]]) })
      ).rows.map((row) => [row["key"], row["value"]]);
      assert.deepEqual(
        found,
        [...expected].toSorted(([left], [right]) => left - right),
        `round ${round}`,
      );
    }
  });

  it("lose by vacuum only what no version refers to", async () => {
    await open();
    const first = await made("swept", "select 1 as id", "replace");
    const second = await made("swept", "select 2 as id", "replace");
    const folder = join(opened.folder, "datasets/swept");
    await mkdir(join(folder, "_hidden"));
    await writeFile(join(folder, "part-orphan.parquet"), "left behind");
    await writeFile(join(folder, "part-young.parquet"), "still being written");
    for (const name of await readdir(folder)) if (!name.includes("young")) await utimes(join(folder, name), 1, 1);
    assert.deepEqual((await fresh().vacuum({ project: "p", asset: "swept", dryRun: true })).removed, [
      "part-orphan.parquet",
    ]);
    assert.deepEqual((await fresh().vacuum({ project: "p", asset: "swept" })).removed, ["part-orphan.parquet"]);
    assert.deepEqual([await count(first), await count(second)], [1, 1]);
    assert.ok((await readdir(folder)).includes("part-young.parquet"));
  });
});
