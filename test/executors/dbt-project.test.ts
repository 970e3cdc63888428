import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { describe, it } from "node:test";
import { createDbtKind, type DbtKindDependencies } from "#executors";
import { type AssetKind, createProjectFiles, type StepAnalysis } from "#pipeline";
import { temporaryFolder } from "../setup/stores.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../examples/jaffle-shop");
// What is looked at before a run needs neither an environment nor a store.
const kind = createDbtKind({} as unknown as DbtKindDependencies);

async function analyse(
  folder: string,
  declaration: object,
  known: Readonly<Record<string, AssetKind>> = {},
): Promise<StepAnalysis & { readonly said: string | undefined }> {
  const files = createProjectFiles(folder);
  const context = {
    project: "p",
    projectFolder: folder,
    step: "shop",
    knownAssets: new Map(Object.entries(known)),
    readFile: files.readFile,
    glob: files.glob,
  };
  const parsed = kind.schema.parse({ dbt: "jaffle", ...declaration });
  return { ...(await kind.analyse(parsed, context)), said: await kind.preview?.(parsed, context) };
}

async function project(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  const all = { "jaffle/dbt_project.yml": "name: shop\nmodels: { shop: { off: { +enabled: false } } }\n", ...files };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

const makes = ({ makes }: StepAnalysis) => makes.map(({ asset }) => asset).sort();
const reads = ({ inputs }: StepAnalysis) => inputs.map(({ asset }) => asset);
const problems = ({ problems }: StepAnalysis) =>
  problems.map(({ message, at }) => (at === undefined ? message : `${at.file}:${at.line} ${message}`));

describe("a dbt project, from its files alone", () => {
  it("makes every seed, model and snapshot a dataset, and counts every file", async () => {
    const found = await analyse(EXAMPLE, {});
    assert.deepEqual(
      makes(found),
      "customers orders raw_customers raw_orders raw_payments stg_customers stg_orders stg_payments".split(" "),
    );
    assert.deepEqual([problems(found), reads(found)], [[], []]);
    assert.equal(found.said, "builds 5 models, 3 seeds");
    for (const file of ["jaffle/dbt_project.yml", "jaffle/macros/in_whole_units.sql", "jaffle/seeds/raw_orders.csv"])
      assert.ok(found.files.includes(file), file);
  });

  it("knows what a selection builds, and reads the rest from other steps", async () => {
    const chosen = async (select: string, exclude?: string) =>
      makes(await analyse(EXAMPLE, { select, ...(exclude === undefined ? {} : { exclude }) }));
    assert.deepEqual(await chosen("+stg_orders"), ["raw_orders", "stg_orders"]);
    assert.deepEqual(await chosen("stg_orders+1"), ["customers", "orders", "stg_orders"]);
    assert.deepEqual(await chosen("staging,stg_o*"), ["stg_orders"]);
    assert.deepEqual(await chosen("path:models/staging", "stg_orders stg_payments"), ["stg_customers"]);
    assert.deepEqual(await chosen("resource_type:seed"), ["raw_customers", "raw_orders", "raw_payments"]);
    assert.deepEqual(await chosen("config.materialized:table"), ["customers", "orders"]);
    assert.equal((await chosen("@stg_customers")).length, 7);
    const marts = await analyse(
      EXAMPLE,
      { select: "customers orders" },
      { stg_customers: "data", stg_orders: "data", stg_payments: "data" },
    );
    assert.deepEqual([reads(marts), problems(marts)], [["stg_customers", "stg_orders", "stg_payments"], []]);
    assert.deepEqual(problems(await analyse(EXAMPLE, { select: "stg_orders" })), [
      'jaffle/models/staging/stg_orders.sql:1 stg_orders reads raw_orders, which is not selected, and no other step makes a dataset "raw_orders"',
    ]);
    assert.deepEqual(problems(await analyse(EXAMPLE, { select: "state:modified" })), [
      'what "state:modified" selects is known only when dbt runs',
    ]);
    assert.deepEqual(problems(await analyse(EXAMPLE, { select: "nothing" })), [
      '"nothing" selects no model, seed or snapshot',
    ]);
  });

  it("reads sources as datasets, by their name or by another one that the step gives", async () => {
    const folder = await project({
      "jaffle/models/sources.yml":
        "sources:\n  - name: raw\n    tables:\n      - name: orders\n      - { name: people, identifier: persons }\n      - { name: unused }\n      - { name: lake, meta: { external_location: 'x.parquet' } }\n",
      "jaffle/models/a.sql":
        "{# ref('comment') #}{{ config(materialized='ephemeral') }} select * from {{ source('raw', 'orders') }}",
      "jaffle/models/b.sql": "select * from {{ ref('a') }}, {{ source('raw', 'people') }}, {{ source('raw', 'lake') }}",
      "jaffle/models/off/c.sql": "select 1",
      "jaffle/models/d.sql": "{{ config(enabled=false) }} select 1",
      "jaffle/models/e.sql": "{{ config(alias='echo', materialized=var('how')) }} select 1",
      "jaffle/snapshots/s.sql":
        "{% snapshot people_history %}{{ config(strategy='check') }} select * from {{ source('raw', 'people') }}{% endsnapshot %}",
      "jaffle/target/manifest.json": "{}",
    });
    const known = { orders: "data", everybody: "data" } as const;
    const found = await analyse(folder, { sources: { "raw.people": "everybody" } }, known);
    assert.deepEqual(
      [makes(found), reads(found), problems(found)],
      [["b", "echo", "people_history"], ["everybody", "orders"], []],
    );
    assert.equal(found.said, "builds 2 models, 1 snapshot; how echo is materialized is known only when dbt runs");
    assert.ok(!found.files.some((file) => file.includes("target/")));
    const wrong = await analyse(folder, { sources: { "raw.peeple": "everybody" } }, known);
    assert.deepEqual(problems(wrong), [
      'jaffle/models/sources.yml:5 source raw.people: no step makes a dataset "persons"',
      "the dbt project has no source raw.peeple",
    ]);
  });

  it("takes packages from folders of the project, and from nowhere else", async () => {
    const files = {
      "jaffle/packages.yml": "packages:\n  - local: ../tools\n",
      "jaffle/models/a.sql": "select {{ tools.one() }} from {{ ref('tools', 'base') }}",
      "tools/dbt_project.yml": "name: tools\nmodels: { tools: { +materialized: table } }\n",
      "tools/models/base.sql": "select 1 as n",
      "tools/macros/one.sql": "{% macro one() %}1{% endmacro %}",
    };
    const found = await analyse(await project(files), {});
    assert.deepEqual([makes(found), problems(found)], [["a", "base"], []]);
    assert.ok(found.files.includes("tools/macros/one.sql"));
    const elsewhere = "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.0.0\n  - local: ../../other\n";
    assert.deepEqual(problems(await analyse(await project({ ...files, "jaffle/packages.yml": elsewhere }), {})), [
      'jaffle/packages.yml:2 the package "dbt-labs/dbt_utils" comes from elsewhere: what is in it would be no part of what the step is made from',
      'jaffle/packages.yml:4 the package "../../other" lies outside the project',
    ]);
  });

  it("says what is wrong with its folder and files, with the place", async () => {
    assert.deepEqual(problems(await analyse(EXAMPLE, { dbt: "jaffel" })), [
      "There is no file jaffel/dbt_project.yml in the project",
    ]);
    assert.deepEqual(problems(await analyse(EXAMPLE, { dbt: "../elsewhere" })), [
      '"../elsewhere" lies outside the project',
    ]);
    const broken = await project({ "jaffle/models/a.sql": "select 1", "jaffle/models/x.yml": "models:\n  - nam: a\n" });
    assert.match(problems(await analyse(broken, {}))[0] ?? "", /^jaffle\/models\/x\.yml:2 /);
    const computed = await project({ "jaffle/models/a.sql": "{{ config(alias='x_' ~ 'y') }} select 1" });
    assert.deepEqual(problems(await analyse(computed, {})), [
      "jaffle/models/a.sql:1 the alias of a is computed, so what its dataset is called cannot be known before dbt runs",
    ]);
    const twice = await project({ "jaffle/models/a.sql": "select 1", "jaffle/seeds/a.csv": "n\n1\n" });
    assert.deepEqual(problems(await analyse(twice, {})), [
      'jaffle/seeds/a.csv:1 jaffle/models/a.sql and jaffle/seeds/a.csv both make the dataset "a"',
    ]);
  });
});
