import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import { type Kysely, PostgresDialect, Kysely as Database, sql } from "kysely";
import pg from "pg";
import { digestOf } from "#base";
import { getVersionGraph, type MetadataStore, openMetadataStore, recordAssetVersion } from "#metadata-store";
import { findLatestStepRuns, listOtherEngines } from "#metadata-store/engine";
import { listPredictions, listPredictionTotals } from "#metadata-store/serving";
import { createSqliteDialect } from "../../src/metadata-store/drivers/sqlite-dialect.ts";
import { migrations } from "../../src/metadata-store/migrations.ts";
import { createPostgresSchema, describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

const KEY = { project: "p", environment: "production", endpoint: "delay" };
const HOUR_MS = 3_600_000;

/** A database with the schema of the migrations before one. */
async function openBefore(
  kind: "sqlite" | "postgres",
  name: string,
): Promise<{ readonly address: string; readonly database: Kysely<never>; close(): Promise<void> }> {
  const before = migrations.slice(
    0,
    migrations.findIndex((migration) => migration.name === name),
  );
  const address = kind === "sqlite" ? join(await temporaryFolder(), "metadata.sqlite") : await createPostgresSchema();
  const schema = new URL(address, "file:").searchParams.get("schema") ?? "";
  const file = kind === "sqlite" ? new DatabaseSync(address) : undefined;
  const pool =
    kind === "sqlite"
      ? undefined
      : new pg.Pool({ connectionString: address.replace(/\?.*/, ""), options: `-c search_path=${schema}` });
  const database = new Database<never>({
    dialect: file === undefined ? new PostgresDialect({ pool: pool as pg.Pool }) : createSqliteDialect(file),
  });
  if (pool !== undefined) await pool.query(`create schema "${schema}"`);
  await sql`create table schema_migration (number bigint primary key, name text not null, applied_at_ms bigint not null)`.execute(
    database,
  );
  for (const [index, migration] of before.entries()) {
    await migration.up(database, kind);
    await sql`insert into schema_migration (number, name, applied_at_ms) values (${index + 1}, ${migration.name}, 0)`.execute(
      database,
    );
  }
  const close = async (): Promise<void> => {
    await database.destroy();
    file?.close();
  };
  return { address, database, close };
}

describeStores("a store of before the counters", (kind) => {
  it("has its predictions counted when it is opened, labels, corrections, shadows and times before 1970 among them", async () => {
    const { address, database, close } = await openBefore(kind, "growth");
    const insert = (
      id: string,
      facts: {
        readonly atMs: number;
        readonly model?: string;
        readonly arm?: string;
        readonly labelledAtMs?: number;
        readonly corrections?: number;
      },
    ): Promise<unknown> =>
      sql`insert into prediction (id, project, environment, endpoint, model_version_id, arm, at_ms, received_at_ms, request_id, features, label_received_at_ms, label_corrections)
        values (${id}, 'p', 'production', 'delay', ${facts.model ?? "m1"}, ${facts.arm ?? "stable"}, ${facts.atMs}, ${facts.atMs + 5}, 'r', '{}', ${facts.labelledAtMs ?? null}, ${facts.corrections ?? 0})`.execute(
        database,
      );
    await insert("a", { atMs: 5 * HOUR_MS + 1 });
    await insert("b", { atMs: 5 * HOUR_MS + 2, labelledAtMs: 9, corrections: 2 });
    await insert("c", { atMs: 7 * HOUR_MS, labelledAtMs: 9 });
    await insert("d", { atMs: -1, model: "m2" });
    await insert("e", { atMs: 5 * HOUR_MS, arm: "shadow", model: "m2" });
    await close();
    const store = await openMetadataStore(address);
    after(() => store.close());
    const totals = await store.read((transaction) => listPredictionTotals(transaction, KEY));
    assert.deepEqual(
      totals
        .map(({ modelVersionId, predictions, labelled, corrections, firstAtMs, lastAtMs }) => [
          modelVersionId,
          predictions,
          labelled,
          corrections,
          firstAtMs,
          lastAtMs,
        ])
        .toSorted((left, right) => (String(left[0]) < String(right[0]) ? -1 : 1)),
      [
        ["m1", 3, 2, 2, 5 * HOUR_MS + 1, 7 * HOUR_MS],
        ["m2", 1, 0, 0, -1, -1],
      ],
    );
    const hours = await store.read((transaction) =>
      transaction
        .selectFrom("prediction_hour")
        .select(["model_version_id", "arm", "hour_ms", "predictions"])
        .orderBy("hour_ms")
        .orderBy("arm")
        .execute(),
    );
    assert.deepEqual(
      hours.map((hour) => [hour.model_version_id, hour.arm, hour.hour_ms, hour.predictions]),
      [
        ["m2", "stable", -HOUR_MS, 1],
        ["m2", "shadow", 5 * HOUR_MS, 1],
        ["m1", "stable", 5 * HOUR_MS, 2],
        ["m1", "stable", 7 * HOUR_MS, 1],
      ],
    );
  });
});

/** The plan of every statement that `work` runs, by node:sqlite. */
async function plansOf(address: string, work: (transaction: never) => Promise<unknown>): Promise<readonly string[]> {
  const file = new DatabaseSync(address, { readOnly: true });
  const statements: { sql: string; parameters: readonly unknown[] }[] = [];
  const database = new Database<never>({
    dialect: createSqliteDialect(file),
    log: ({ query }) => void statements.push({ sql: query.sql, parameters: query.parameters }),
  });
  await work(database as never);
  const plans = statements.map((statement) =>
    file
      .prepare(`explain query plan ${statement.sql}`)
      .all(...(statement.parameters as never[]))
      .map((row) => String(row["detail"]))
      .join("\n"),
  );
  await database.destroy();
  file.close();
  return plans;
}

describe("plans on node:sqlite", () => {
  it("find the engines that have not ended without reading those that have", async () => {
    const { address } = await openTestStore("sqlite");
    const plans = await plansOf(address, (transaction) =>
      listOtherEngines(transaction, { project: "p", engineId: "e" }),
    );
    assert.match(
      plans.join("\n"),
      /^SEARCH engine_instance USING INDEX engine_not_stopped \(project=\? AND stopped=\?\)$/,
    );
  });

  it("list predictions by version and by label without passing over others", async () => {
    const { address } = await openTestStore("sqlite");
    const plan = async (query: object): Promise<string> =>
      (await plansOf(address, (transaction) => listPredictions(transaction, { ...KEY, ...query }))).join("\n");
    assert.match(
      await plan({ labelled: false }),
      /^SEARCH prediction USING INDEX prediction_unlabelled \(project=\? AND environment=\? AND endpoint=\?\)$/,
    );
    assert.match(
      await plan({ labelled: true }),
      /^SEARCH prediction USING INDEX prediction_labelled \(project=\? AND environment=\? AND endpoint=\?\)$/,
    );
    assert.match(
      await plan({ modelVersionId: "m" }),
      /^SEARCH prediction USING INDEX prediction_model_time \(project=\? AND environment=\? AND endpoint=\? AND model_version_id=\?\)$/,
    );
    assert.match(await plan({}), /^SEARCH prediction USING INDEX prediction_time /);
    assert.match(
      await plan({ before: [5, "x"] }),
      /^SEARCH prediction USING INDEX prediction_time \(project=\? AND environment=\? AND endpoint=\? AND at_ms<\?\)$/,
    );
    assert.match(
      await plan({ modelVersionId: "m", before: [5, "x"] }),
      /^SEARCH prediction USING INDEX prediction_model_time /,
    );
  });

  it("follow a lineage from edge to edge, whatever the store holds besides", async () => {
    const { store, address } = await openTestStore("sqlite");
    const root = await writeChain(store, 50);
    for (const direction of ["upstream", "downstream"] as const) {
      const [plan = ""] = await plansOf(address, (transaction) => getVersionGraph(transaction, root, direction));
      assert.doesNotMatch(plan, /SCAN (e|asset_version_input)\b|AUTOMATIC|BLOOM/, plan);
      assert.match(plan, /SEARCH e USING (COVERING )?INDEX/, plan);
    }
  });

  it("find the newest run of each step by its index", async () => {
    const { address } = await openTestStore("sqlite");
    const [plan = ""] = await plansOf(address, (transaction) =>
      findLatestStepRuns(transaction, {
        project: "p",
        steps: [
          { pipeline: "a", step: "b" },
          { pipeline: "a", step: "c" },
        ],
      }),
    );
    assert.match(plan, /SEARCH s USING COVERING INDEX step_run_history \(project=\? AND pipeline=\? AND step=\?\)/);
    assert.doesNotMatch(plan, /SCAN step_run/);
  });
});

/** A chain of versions, each made from the one before; returns the id of one in the middle. */
async function writeChain(store: MetadataStore, length: number): Promise<string> {
  const ids: string[] = [];
  for (let index = 0; index < length; index++) {
    const inputs = index === 0 ? [] : [{ versionId: ids[index - 1] ?? "", role: "input" }];
    const { version } = await store.write((transaction) =>
      recordAssetVersion(transaction, {
        project: "p",
        asset: `a${index}`,
        kind: "data",
        digest: digestOf(`${index}`),
        madeAtMs: 1000 + index,
        actor: "ana",
        content: {},
        inputs,
      }),
    );
    ids.push(version.id);
  }
  return ids[Math.floor(length / 2)] ?? "";
}
