// A store that an earlier program wrote is brought to today's schema and read: rows, files, runs, models; and nothing
// is made again.
import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { openMetadataStore, type StoreKind } from "#metadata-store";
import { measureLooseLogs } from "#metadata-store/engine";
import { migrations } from "../../src/metadata-store/migrations.ts";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

type Rows = Readonly<Record<string, readonly Readonly<Record<string, string | number | null>>[]>>;

const kept = (await readdir(import.meta.dirname)).filter((name) => /^store-\d+$/.test(name));

it("a released migration never changes: the first ones make the schema of the store that was kept", async () => {
  const newest = kept.find((name) => name === `store-${migrations.length}`);
  assert.ok(
    newest !== undefined,
    "there is no store of today's schema: run test/upgrade/write-store.ts and keep what it writes",
  );
  for (const name of kept) {
    const expected = new DatabaseSync(":memory:");
    expected.exec(await readFile(join(import.meta.dirname, name, "schema.sql"), "utf8"));
    if (name !== newest) continue;
    const file = join(await temporaryFolder(), "metadata.sqlite");
    await (await openMetadataStore(file)).close();
    const made = new DatabaseSync(file);
    assert.deepEqual(shape(made), shape(expected));
    made.close();
  }
});

/** What a schema is, however its statements are laid out: tables with columns, and indexes. */
function shape(database: DatabaseSync): unknown {
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' and name <> 'sqlite_sequence' order by name")
    .all();
  return tables.map(({ name }) => ({
    name,
    columns: database.prepare(`pragma table_info("${String(name)}")`).all(),
    indexes: database.prepare(`select name, "unique" from pragma_index_list('${String(name)}') order by name`).all(),
  }));
}

for (const name of kept) {
  for (const kind of storeKinds) {
    describe(`${name} (${kind})`, () => {
      it("is read whole, and what it holds is not made again", async () => {
        const folder = await restore(name, kind);
        const json = async (...words: string[]): Promise<never> => {
          const { code, stdout, stderr } = await runEsteira(folder, [...words, "--json"]);
          assert.equal(code, 0, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
          return JSON.parse(stdout) as never;
        };
        const rowsOf = async (...words: string[]): Promise<unknown> =>
          ((await json("dataset", "show", ...words)) as { rows: unknown }).rows;
        assert.deepEqual(await rowsOf("orders", "--version", "1"), [
          [1, 10.5, "2026-01-01", 'says "hi", twice'],
          [2, 20, "2026-01-02", "ação"],
        ]);
        assert.deepEqual(await rowsOf("orders_day"), [
          ["2026-01-01", 1, 10.5],
          ["2026-01-02", 1, 20],
          ["2026-01-03", 1, 40],
        ]);
        const held = JSON.stringify(await json("quarantine", "list", "orders"));
        assert.match(held, /orders-1\.csv/);
        assert.match(held, /not a number/);
        const lineage = JSON.stringify(await json("lineage", "orders_day"));
        assert.match(lineage, /orders-2\.csv/);
        const again = await runEsteira(folder, ["run", "shop"]);
        assert.equal(again.code, 0, again.stderr);
        const said = `${again.stdout}${again.stderr}`;
        assert.match(
          said,
          /succeeded {2}orders .*read 0, published 0/,
          "files that were captured are known by their content",
        );
        for (const step of ["orders_day", "days"])
          assert.match(said, new RegExp(`cached {2}${step} `), "the cache of the earlier program holds");
        const { stdout: audit } = await runEsteira(folder, ["audit", "verify", "--json"]);
        const { rows } = JSON.parse(audit) as { rows: { findings: readonly object[] } };
        assert.deepEqual(rows.findings, [], "rows are what the events of the earlier program say");
        await readTracking(folder);
      });
    });
  }
}

/** The last program that kept whole logs in the metadata database. */
const BEFORE_SEGMENTS = "store-33";

for (const kind of storeKinds)
  describe(`logs of ${BEFORE_SEGMENTS} (${kind})`, () => {
    it("are read as they are, and the same once they are in storage", async () => {
      const folder = await restore(BEFORE_SEGMENTS, kind);
      const { log_chunk: rows = [] } = JSON.parse(
        await readFile(join(import.meta.dirname, BEFORE_SEGMENTS, "rows.json"), "utf8"),
      ) as Rows;
      assert.ok(rows.length > 0);
      const read = async (): Promise<string> => {
        const { code, stdout, stderr } = await runEsteira(folder, ["logs", "latest", "--json"]);
        assert.equal(code, 0, stderr);
        return stdout;
      };
      const before = await read();
      for (const { text } of rows) assert.ok(before.includes(JSON.stringify(text)), before);
      const collected = await runEsteira(folder, ["gc"]);
      assert.equal(collected.code, 0, collected.stderr);
      const settings = await readFile(join(folder, "esteira.yaml"), "utf8");
      const address = /metadata: "([^"]+)"/.exec(settings)?.[1] ?? join(folder, ".esteira/metadata.sqlite");
      const store = await openMetadataStore(address);
      const { chunks } = await store.read(measureLooseLogs);
      await store.close();
      assert.equal(chunks, 0);
      assert.equal(await read(), before);
    });
  });

async function readTracking(folder: string): Promise<void> {
  const server = await startServer(folder);
  try {
    // A user was there: the server wants to know who calls.
    assert.equal((await fetch(`${server.url}/api/2.0/mlflow/experiments/get?experiment_id=1`)).status, 401);
    const created = await runEsteira(folder, ["user", "create", "bea", "--role", "admin", "--json"]);
    const { token } = JSON.parse(created.stdout) as { token: string };
    const mlflow = async (path: string, body?: object): Promise<never> => {
      const answer = await fetch(`${server.url}/api/2.0/${path}`, {
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      assert.equal(answer.status, 200, text);
      return (path.startsWith("mlflow-artifacts") ? text : JSON.parse(text)) as never;
    };
    const found: {
      runs: readonly {
        info: { run_id: string; artifact_uri: string };
        data: { params: unknown; tags: readonly { key: string; value: string }[] };
      }[];
    } = await mlflow("mlflow/runs/search", { experiment_ids: ["1"], filter: "params.depth = '6'" });
    const [run] = found.runs;
    assert.ok(run !== undefined);
    assert.deepEqual(run.data.params, [{ key: "depth", value: "6" }]);
    assert.equal(run.data.tags.find(({ key }) => key === "note")?.value, "ação");
    const history: { metrics: readonly { value: number | string }[] } = await mlflow(
      `mlflow/metrics/get-history?run_id=${run.info.run_id}&metric_key=loss`,
    );
    assert.deepEqual(
      history.metrics.map(({ value }) => value),
      [0.5, 0.25, "NaN", Number.MAX_VALUE],
    );
    assert.equal(
      await mlflow(
        `${run.info.artifact_uri.replace("mlflow-artifacts:", "mlflow-artifacts/artifacts")}/model/notes.txt`,
      ),
      "kept\n",
    );
    const best: { model_version: { version: string; run_id: string } } = await mlflow(
      "mlflow/registered-models/alias?name=price&alias=best",
    );
    assert.deepEqual([best.model_version.version, best.model_version.run_id], ["1", run.info.run_id]);
  } finally {
    await server.stop();
  }
}

/** Lays a kept store out as its program left it, in a database of the given kind. */
async function restore(name: string, kind: StoreKind): Promise<string> {
  const folder = await temporaryFolder();
  const place = join(import.meta.dirname, name);
  await cp(join(place, "project"), folder, { recursive: true });
  await mkdir(join(folder, ".esteira"), { recursive: true });
  await cp(join(place, "files"), join(folder, ".esteira"), { recursive: true });
  const rows = JSON.parse(await readFile(join(place, "rows.json"), "utf8")) as Rows;
  if (kind === "postgres") {
    const address = await createPostgresSchema();
    await restorePostgres(address, rows);
    await writeFile(
      join(folder, "esteira.yaml"),
      `${await readFile(join(folder, "esteira.yaml"), "utf8")}store: { metadata: "${address}" }\n`,
    );
    return folder;
  }
  const database = new DatabaseSync(join(folder, ".esteira/metadata.sqlite"));
  database.exec(await readFile(join(place, "schema.sql"), "utf8"));
  database.exec("begin");
  for (const [table, all] of Object.entries(rows)) {
    for (const row of all) {
      const columns = Object.keys(row);
      database
        .prepare(
          `insert into "${table}" (${columns.map((column) => `"${column}"`).join(", ")}) values (${columns.map(() => "?").join(", ")})`,
        )
        .run(...columns.map((column) => row[column] ?? null));
    }
  }
  database.exec("commit");
  database.close();
  return folder;
}

/** PostgreSQL has no dump in the repository: the migrations that the store had make its schema. */
async function restorePostgres(address: string, rows: Rows): Promise<void> {
  const url = new URL(address);
  const schema = url.searchParams.get("schema") ?? "";
  url.searchParams.delete("schema");
  const admin = new pg.Client(url.href);
  await admin.connect();
  await admin.query(`create schema "${schema}"`);
  await admin.end();
  const pool = new pg.Pool({ connectionString: url.href, options: `-c search_path=${schema}` });
  const database = new Kysely<never>({ dialect: new PostgresDialect({ pool }) });
  for (const migration of migrations.slice(0, rows["schema_migration"]?.length))
    await migration.up(database, "postgres");
  await pool.query(
    "create table schema_migration (number bigint primary key, name text not null, applied_at_ms bigint not null)",
  );
  for (const [table, all] of Object.entries(rows)) {
    await pool.query(`delete from "${table}"`);
    for (const row of all) {
      const columns = Object.keys(row);
      await pool.query(
        `insert into "${table}" (${columns.map((column) => `"${column}"`).join(", ")}) values (${columns.map((_, index) => `$${index + 1}`).join(", ")})`,
        columns.map((column) => row[column]),
      );
    }
  }
  const { rows: serials } = await pool.query<{ table_name: string; column_name: string }>(
    "select table_name, column_name from information_schema.columns where table_schema = $1 and (column_default like 'nextval%' or is_identity = 'YES')",
    [schema],
  );
  for (const { table_name, column_name } of serials)
    await pool.query(
      `select setval(pg_get_serial_sequence($1, $2), coalesce(max("${column_name}"), 0) + 1, false) from "${table_name}"`,
      [`${schema}.${table_name}`, column_name],
    );
  await database.destroy();
}
