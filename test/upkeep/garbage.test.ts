import assert from "node:assert/strict";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { type Digest, digestOf, systemClock } from "#base";
import { listEvents, recordAssetVersion, type StoreKind } from "#metadata-store";
import { listNamedDigests } from "#metadata-store/upkeep";
import { createFileSystemFiles } from "#storage";
import { createArtifactFolder } from "#tracking";
import { applyRetention, collectGarbage } from "#upkeep";
import { runSql } from "../setup/run-sql.ts";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

const DAY_MS = 24 * 3600_000;
const PROJECT = "p";

async function open(kind: StoreKind) {
  const { store, objects, folder, address } = await openTestStore(kind);
  const parts = {
    store,
    objects,
    clock: systemClock,
    tableFiles: createFileSystemFiles({ root: join(folder, "datasets") }),
    artifacts: createArtifactFolder({ root: join(folder, "artifacts") }),
  };
  const pathOf = (digest: Digest) => join(folder, "objects/sha256", digest.slice(7, 9), digest.slice(9));
  return {
    ...parts,
    folder,
    sql: (statement: string) => runSql(address, statement),
    collect: (dryRun = false) =>
      collectGarbage(parts, { ageMs: 7 * DAY_MS, dryRun, signal: new AbortController().signal }),
    async age(digest: Digest) {
      const then = new Date(Date.now() - 8 * DAY_MS);
      await utimes(pathOf(digest), then, then);
    },
    async make(content: object) {
      const facts = { project: PROJECT, asset: "delay", kind: "model", inputs: [], actor: "ana", content } as const;
      const made = { ...facts, digest: digestOf(JSON.stringify(content)), madeAtMs: Date.now() };
      return (await store.write((tx) => recordAssetVersion(tx, made))).version;
    },
  };
}

describeStores("garbage", (kind) => {
  it("is what no row names, nor an object that one names, and what is old", async () => {
    const { objects, collect, age, make, folder } = await open(kind);
    const put = async (text: string): Promise<Digest> => (await objects.put(text)).digest;
    const source = await put("print(1)");
    const step = await put(JSON.stringify({ files: { "a.py": source } }));
    const recipe = await put(JSON.stringify({ steps: { delay: [step] } }));
    const weights = await put("weights");
    const [orphan, again, young] = [await put("orphan"), await put("stored again"), await put("young")];
    await make({ format: "model/1", tree: { files: [{ path: "m", digest: weights, sizeBytes: 7 }] }, recipe });
    for (const each of [source, step, recipe, weights, orphan, again]) await age(each);
    await put("stored again");
    const unfinished = join(folder, "objects/incoming/left");
    await mkdir(join(folder, "objects/incoming"), { recursive: true });
    await writeFile(unfinished, "half");
    const then = new Date(Date.now() - 8 * DAY_MS);
    await utimes(unfinished, then, then);

    assert.deepEqual(await collect(true), { objects: 1, bytes: 6, unfinished: 1 });
    assert.deepEqual(await collect(), { objects: 1, bytes: 6, unfinished: 1 });
    assert.deepEqual(await collect(), { objects: 0, bytes: 0, unfinished: 0 });
    assert.equal(await objects.stat(orphan), undefined);
    for (const each of [source, step, recipe, weights, again, young])
      assert.equal(await objects.digestOfStored(each), each);
  });

  it("that was set aside by one that was killed comes back once it is named", async () => {
    const { objects, collect, make } = await open(kind);
    const [kept, lost] = [(await objects.put("kept")).digest, (await objects.put("lost")).digest];
    for (const each of [kept, lost]) await objects.setAside(each, Date.now() + DAY_MS);
    await make({ format: "tree/1", files: [{ path: "a", digest: kept, sizeBytes: 4 }] });
    await collect();
    assert.equal((await objects.get(kept)).toString(), "kept");
    assert.equal(await objects.stat(lost), undefined);
  });

  it("retention removes old predictions, and logs but those that made what is released", async () => {
    const { store, sql, make } = await open(kind);
    const old = Date.now() - 100 * DAY_MS;
    await sql(
      `insert into prediction_total (project, environment, endpoint, model_version_id, arm, predictions, labelled, corrections, first_at_ms, last_at_ms, revision) values ('p', 'production', 'delay', 'v', 'stable', 2, 0, 0, 1, 1, 1)`,
    );
    for (const [id, at] of [
      ["old", old],
      ["new", Date.now()],
    ])
      await sql(
        `insert into prediction (id, project, environment, endpoint, model_version_id, arm, at_ms, received_at_ms, request_id, features, label_corrections) values ('${id}', 'p', 'production', 'delay', 'v', 'stable', ${at}, ${at}, 'r', '{}', 0)`,
      );
    for (const id of ["plain", "released", "recent"]) {
      const end = id === "recent" ? Date.now() : old;
      await sql(
        `insert into step_run (id, pipeline_run_id, project, pipeline, step, kind, position, matrix_index, status, cached, finished_at_ms, attempt_count, failure_count, lost_count, token) values ('${id}', 'r', 'p', 'a', 's', 'run', 0, 0, 'succeeded', 0, ${end}, 1, 0, 0, 1)`,
      );
      await sql(
        `insert into log_chunk (step_run_id, attempt_number, sequence, stream, text, at_ms) values ('${id}', 1, 0, 'stdout', 'x', ${end})`,
      );
    }
    const input = await make({ format: "tree/1", files: [] });
    await sql(`update asset_version set step_run_id = 'released' where id = '${input.id}'`);
    const model = await make({ format: "tree/1", files: [], other: true });
    await sql(
      `insert into asset_version_input (version_id, input_version_id, role) values ('${model.id}', '${input.id}', 'input')`,
    );
    await sql(
      `insert into release (id, project, environment, number, asset, version_id, created_at_ms, created_by, settings) values ('R', 'p', 'production', 1, 'delay', '${model.id}', 1, 'ana', '{}')`,
    );
    const predictions = await openTestPredictions(store);
    const apply = () =>
      applyRetention(
        { store, clock: systemClock, project: PROJECT, predictions },
        {
          retention: { predictions: 90 * DAY_MS, logs: 30 * DAY_MS },
          actor: "engine",
          signal: new AbortController().signal,
        },
      );
    assert.deepEqual((await apply()).expired, { predictions: 1, logs: 1, versions: 0, runs: 0 });
    assert.deepEqual((await apply()).expired, { predictions: 0, logs: 0, versions: 0, runs: 0 });
    assert.deepEqual(
      (await sql("select step_run_id from log_chunk order by 1")).map(({ step_run_id }) => step_run_id),
      ["recent", "released"],
    );
    assert.deepEqual(
      (await sql("select id from prediction")).map(({ id }) => id),
      ["new"],
    );
    const events = await store.read((tx) => listEvents(tx, { subjectKind: "project", after: 0, limit: 10 }));
    assert.deepEqual(
      events.map(({ type }) => type),
      ["retention.applied"],
    );
  });
});

describeStores("columns that name objects", (kind) => {
  it("are all known: every object of a kept store is named by one", async () => {
    const { store, sql } = await open(kind);
    const folder = join(import.meta.dirname, "../upgrade");
    const newest =
      (await readdir(folder))
        .filter((name) => name.startsWith("store-"))
        .sort(byNumber)
        .at(-1) ?? "";
    const rows = JSON.parse(await readFile(join(folder, newest, "rows.json"), "utf8")) as Record<
      string,
      readonly Record<string, string | number | null>[]
    >;
    const digests = new Set<string>();
    for (const all of Object.values(rows))
      for (const row of all)
        for (const value of Object.values(row))
          for (const digest of String(value).match(/sha256:[0-9a-f]{64}/g) ?? []) digests.add(digest);
    // Rows of every table, as they are.
    for (const [table, all] of Object.entries(rows)) {
      if (table === "schema_migration") continue;
      await sql(`delete from "${table}"`);
      for (const row of all) {
        const names = Object.keys(row);
        const values = names.map((name) => literal(row[name]));
        await sql(
          `insert into "${table}" (${names.map((name) => `"${name}"`).join(", ")}) values (${values.join(", ")})`,
        );
      }
    }
    const named = new Set<string>();
    await store.read(async (tx) => {
      for await (const found of listNamedDigests(tx)) for (const each of found) named.add(each);
    });
    const objects = (await readdir(join(folder, newest, "files/objects/sha256"), { recursive: true }))
      .filter((name) => name.length > 3)
      .map((name) => `sha256:${name.replace("/", "")}`);
    assert.ok(objects.length > 10);
    const missed = objects.filter((each) => digests.has(each) && !named.has(each));
    assert.deepEqual(missed, []);
  });
});

function byNumber(left: string, right: string): number {
  return Number(left.slice(6)) - Number(right.slice(6));
}

function literal(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "null";
  return typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
}
