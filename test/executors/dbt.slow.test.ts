import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { type CommandEnd, runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = resolve(import.meta.dirname, "../..");
let folder: string;

const esteira = (...words: string[]): Promise<CommandEnd> => runEsteira(folder, words);

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

async function succeeds(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await esteira(...words);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

async function query(sql: string): Promise<unknown> {
  return (JSON.parse(await succeeds("query", sql, "--json")) as { rows: unknown }).rows;
}

it("dbt itself, as a step", { timeout: 1_800_000 }, async (t) => {
  folder = await temporaryFolder();
  await cp(join(ROOT, "examples/jaffle-shop"), folder, { recursive: true });

  await t.test("makes every table that dbt makes in plain DuckDB, with the same rows and types", async () => {
    await succeeds("run", "shop");
    const [environment = ""] = (await readdir(join(folder, ".esteira/python"))).filter((name) => !name.includes("."));
    const { stdout } = await promisify(execFile)(join(folder, ".esteira/python", environment, "bin/python"), [
      join(ROOT, "test/executors/dbt-compare.py"),
      join(folder, "jaffle"),
      join(folder, ".esteira/datasets"),
    ]);
    const same = (rows: number) => ({ rows, missing: 0, more: 0, types: true });
    assert.deepEqual(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""), {
      customers: same(100),
      orders: same(99),
      raw_customers: same(100),
      raw_orders: same(99),
      raw_payments: same(110),
      stg_customers: same(100),
      stg_orders: same(99),
      stg_payments: same(110),
    });
  });

  await t.test("is cached while no file of the project changes", async () => {
    assert.match(await succeeds("plan", "shop"), /every step is cached/);
    await write("jaffle/macros/other.sql", "{% macro other() %}2{% endmacro %}\n");
    assert.match(await succeeds("plan", "shop"), /shop +dbt +▶ run +file jaffle\/macros\/other\.sql is new/);
  });

  await t.test("reads datasets as sources, goes on with incremental models and snapshots, and warns", async () => {
    await write("data/people.csv", "id,city,seen_at\n1,Recife,2026-01-01 10:00:00\n2,Natal,2026-01-02 11:00:00\n");
    await write(
      "pipelines/people.yaml",
      "steps:\n  people: { capture: { files: data/people.csv }, write: replace }\n  history: { dbt: more, vars: { least: 1 } }\n",
    );
    await write("more/dbt_project.yml", "name: more\n");
    await write("more/packages.yml", "packages:\n  - local: ../tools\n");
    await write("tools/dbt_project.yml", "name: tools\n");
    await write("tools/macros/shout.sql", "{% macro shout(x) %}upper({{ x }}){% endmacro %}\n");
    await write(
      "more/models/sources.yml",
      "sources:\n  - name: town\n    tables:\n      - name: people\n        columns: [{ name: id, data_tests: [unique] }]\nmodels:\n  - name: seen\n    columns:\n      - name: city\n        data_tests:\n          - accepted_values: { arguments: { values: [RECIFE] }, config: { severity: warn } }\n",
    );
    await write(
      "more/models/seen.sql",
      "{{ config(materialized='incremental') }}\nselect id, {{ tools.shout('city') }} as city, seen_at, sum(id)::hugeint as big, seen_at::timestamp as clock\nfrom {{ source('town', 'people') }}\n{% if is_incremental() %}where seen_at > (select max(seen_at) from {{ this }}){% endif %}\ngroup by all\nhaving id >= {{ var('least') }}\n",
    );
    await write(
      "more/snapshots/people_history.sql",
      "{% snapshot people_history %}{{ config(unique_key='id', strategy='check', check_cols=['city']) }}\nselect id, city from {{ source('town', 'people') }}{% endsnapshot %}\n",
    );
    await succeeds("run", "people");
    assert.deepEqual(await query("SELECT id, city, big FROM seen ORDER BY id"), [
      [1, "RECIFE", 1],
      [2, "NATAL", 2],
    ]);
    await write("data/people.csv", "id,city,seen_at\n1,Olinda,2026-01-03 10:00:00\n2,Natal,2026-01-02 11:00:00\n");
    const run = await succeeds("run", "people");
    assert.match(run, /history/);
    assert.deepEqual(await query("SELECT id, city FROM seen ORDER BY seen_at"), [
      [1, "RECIFE"],
      [2, "NATAL"],
      [1, "OLINDA"],
    ]);
    assert.deepEqual(await query("SELECT id, city, dbt_valid_to IS NULL AS now FROM people_history ORDER BY id, now"), [
      [1, "Recife", false],
      [1, "Olinda", true],
      [2, "Natal", true],
    ]);
    assert.match(await succeeds("plan", "people"), /every step is cached/);
    const lineage = await succeeds("lineage", "seen");
    assert.match(lineage, /people 2/);
  });

  await t.test("fails with file and line, publishes nothing, and names tests that fail", async () => {
    await write("jaffle/models/bad.sql", "select\n    order_id,\n    no_such_column\nfrom {{ ref('stg_orders') }}\n");
    const bad = await esteira("run", "shop");
    assert.notEqual(bad.code, 0);
    assert.match(bad.stdout + bad.stderr, /jaffle\/models\/bad\.sql:3: .*no_such_column/);
    await write("jaffle/models/bad.sql", "select\n  {{ nothing( }}\n");
    const jinja = await esteira("run", "shop");
    assert.match(jinja.stdout + jinja.stderr, /jaffle\/models\/bad\.sql:2: /);
    await write("jaffle/models/bad.sql", "select 1 as n union all select 1\n");
    await write("jaffle/models/bad.yml", "models:\n  - name: bad\n    columns: [{ name: n, data_tests: [unique] }]\n");
    const test = await esteira("run", "shop");
    assert.match(test.stdout + test.stderr, /EXECUTORS_DBT_TESTS_FAILED/);
    assert.match(test.stdout + test.stderr, /jaffle\/models\/bad\.yml: unique_bad_n: Got 1 result/);
    assert.match((await esteira("dataset", "show", "bad")).stderr, /no dataset "bad"/);
  });
});
