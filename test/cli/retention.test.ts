// What a project keeps no longer: rows of versions that nothing needs, and runs that made nothing.
import assert from "node:assert/strict";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { StoreKind } from "#metadata-store";
import { runEsteira } from "../setup/command-line.ts";
import { runSql } from "../setup/run-sql.ts";
import { createPostgresSchema, storeKinds, temporaryFolder } from "../setup/stores.ts";

const DAY_MS = 24 * 3600_000;

async function open(kind: StoreKind) {
  const folder = await temporaryFolder();
  const address = kind === "sqlite" ? join(folder, ".esteira/metadata.sqlite") : await createPostgresSchema();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await write(
    "esteira.yaml",
    `name: shop\nretention: { versions: 90d, runs: 90d }\n${kind === "sqlite" ? "" : `store: { metadata: "${address}" }\n`}`,
  );
  await write(
    "pipelines/shop.yaml",
    'steps:\n  orders: { capture: { files: "data/orders.csv" }, write: replace }\n  total: { sql: sql/total.sql }\n',
  );
  await write("sql/total.sql", "SELECT sum(amount) AS amount FROM orders\n");
  await write("pipelines/look.yaml", "steps:\n  look: { run: echo looked, cache: false }\n");
  const esteira = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runEsteira(folder, words);
    assert.equal(code, 0, `esteira ${words.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  };
  return {
    folder,
    write,
    esteira,
    sql: (statement: string) => runSql(address, statement),
    async capture(amount: number) {
      await write("data/orders.csv", `id,amount\n1,${amount}\n2,${amount}\n`);
      await esteira("run", "shop");
    },
    /** As if everything had been done so long ago. */
    async age(days: number) {
      const ms = days * DAY_MS;
      await runSql(address, `update asset_version set made_at_ms = made_at_ms - ${ms}`);
      await runSql(address, `update pipeline_run set finished_at_ms = finished_at_ms - ${ms}`);
      const then = new Date(Date.now() - ms);
      const datasets = join(folder, ".esteira/datasets");
      for (const path of await readdir(datasets, { recursive: true }))
        if (path.endsWith(".parquet")) await utimes(join(datasets, path), then, then);
    },
    gc: async () =>
      JSON.parse(await esteira("gc", "--older", "24h", "--json")) as {
        dataFiles: number;
        expired: { versions: number; runs: number };
      },
  };
}

for (const kind of storeKinds)
  describe(`retention (${kind})`, () => {
    it("takes the rows of versions that nothing needs, and what is left is whole", async () => {
      const { capture, age, gc, sql, esteira, folder } = await open(kind);
      for (const amount of [1, 2, 3]) await capture(amount);
      const [first] = await sql("select id from asset_version where asset = 'orders' and version = 1");
      await sql(
        `insert into approval_request (project, digest, environment, subject_kind, subject, version_id, reason, needed, requested_by, requested_at_ms) values ('shop', 'sha256:0', 'production', 'version', 'orders', '${String(first?.["id"])}', '', 1, 'ana', 1)`,
      );
      await age(100);
      await capture(4);
      // Version 1 waits for an approval; 3 had its successor today; of `total` no step reads an old one.
      const { expired, dataFiles } = await gc();
      assert.deepEqual([expired.versions, dataFiles], [3, 3]);
      assert.deepEqual((await gc()).expired, { predictions: 0, logs: 0, versions: 0, runs: 0 });

      const shown = JSON.parse(await esteira("dataset", "show", "orders", "--version", "1", "--json")) as {
        rows: unknown;
      };
      assert.deepEqual(shown.rows, [
        [1, 1],
        [2, 1],
      ]);
      const gone = await runEsteira(folder, ["dataset", "show", "orders", "--version", "2"]);
      assert.equal(gone.code, 1);
      assert.match(gone.stderr, /The rows of version 2 of orders are kept no longer since \d{4}-/);
      assert.match(await esteira("lineage", "total"), /orders/);
      await esteira("verify", "--deep");
      await esteira("audit", "verify");
      const events = await sql("select subject, data from event where type = 'retention.expired' order by subject");
      assert.deepEqual(
        events.map(({ subject, data }) => [subject, (JSON.parse(String(data)) as { versions: unknown }).versions]),
        [
          ["orders", [2]],
          ["total", [1, 2]],
        ],
      );

      // What was cached is made again.
      await capture(2);
      const again = JSON.parse(await esteira("dataset", "show", "total", "--json")) as { rows: unknown };
      assert.deepEqual(again.rows, [[4]]);
    });

    it("takes runs that made nothing, but for the last of each step", async () => {
      const { capture, age, gc, sql, esteira } = await open(kind);
      await capture(1);
      for (let count = 0; count < 3; count++) await esteira("run", "look");
      await age(100);
      assert.equal((await gc()).expired.runs, 2);
      const left = await sql("select pipeline from pipeline_run order by pipeline");
      assert.deepEqual(
        left.map(({ pipeline }) => pipeline),
        ["look", "shop"],
      );
      for (const table of ["attempt", "log_chunk", "step_output"])
        assert.deepEqual(
          await sql(`select step_run_id from ${table} where step_run_id not in (select id from step_run)`),
          [],
          table,
        );
      assert.match(await esteira("run", "look"), /Succeeded/);
    });
  });
