// Writes `store-<N>/`: a small store as the program of today leaves it, for the tests of later programs to read.
// Run it when a stored format has changed and the store before is kept: `node test/upgrade/write-store.ts`.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { runEsteira } from "../setup/command-line.ts";
import { startServer } from "../setup/started-server.ts";

const PROJECT: Readonly<Record<string, string>> = {
  "esteira.yaml": "name: shop\nenvironments: { staging: {}, production: { approvals: 1 } }\n",
  "data/orders-1.csv":
    'id,amount,day,note\n1,10.5,2026-01-01,"says ""hi"", twice"\n2,20,2026-01-02,ação\n3,-1,2026-01-02,negative\n',
  "data/orders-2.csv": "id,amount,day,note\n4,40,2026-01-03,\n5,x,2026-01-03,not a number\n",
  "contracts/orders.yaml": `apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: amount, logicalType: number, required: true, logicalTypeOptions: { minimum: 0 } }
      - { name: day, logicalType: date }
      - { name: note, logicalType: string }
`,
  "sql/orders_day.sql": "SELECT day, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY day ORDER BY day\n",
  "dashboards/days.yaml": "title: Days\ntiles:\n  - title: Orders\n    sql: SELECT day, orders FROM orders_day\n",
  "pipelines/shop.yaml": `steps:
  orders:
    capture: { files: "data/orders-*.csv", version_per: file }
    write: append
    contract: contracts/orders.yaml
  orders_day: { sql: sql/orders_day.sql }
  days: { publish: dashboards/days.yaml }
  app: { run: mkdir -p dist && echo built > dist/app.txt, makes: { code: dist/ } }
`,
};

const folder = await mkdtemp(join(tmpdir(), "esteira-store-"));
try {
  for (const [path, content] of Object.entries(PROJECT)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  await command("run", "shop");
  await track();
  await command("user", "create", "ana", "--role", "admin");
  await keep();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function command(...words: string[]): Promise<void> {
  const { code, stdout, stderr } = await runEsteira(folder, words);
  if (code !== 0) throw new Error(`esteira ${words.join(" ")} ended with ${code}: ${stdout}${stderr}`);
}

/**
 * A run with metrics and an artifact, a registered model with a version and an alias, as an MLflow client makes them.
 */
async function track(): Promise<void> {
  const server = await startServer(folder);
  const mlflow = async <Answer>(path: string, body: object): Promise<Answer> => {
    const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as Answer;
  };
  try {
    const { experiment_id } = await mlflow<{ experiment_id: string }>("experiments/create", {
      name: "prices",
      tags: [{ key: "team", value: "shop" }],
    });
    const { run } = await mlflow<{ run: { info: { run_id: string; artifact_uri: string } } }>("runs/create", {
      experiment_id,
      start_time: 1_767_225_600_000,
      run_name: "first",
    });
    const { run_id, artifact_uri } = run.info;
    const metrics = [
      [1, 0.5],
      [2, 0.25],
      [3, "NaN"],
      [4, "Infinity"],
    ].map(([step, value]) => ({ key: "loss", value, step, timestamp: 1_767_225_600_000 }));
    await mlflow("runs/log-batch", {
      run_id,
      metrics,
      params: [{ key: "depth", value: "6" }],
      tags: [{ key: "note", value: "ação" }],
    });
    const artifact = `${artifact_uri.replace("mlflow-artifacts:", `${server.url}/api/2.0/mlflow-artifacts/artifacts`)}/model/notes.txt`;
    const uploaded = await fetch(artifact, { method: "PUT", body: "kept\n" });
    if (!uploaded.ok) throw new Error(`upload: ${uploaded.status}`);
    await mlflow("runs/update", { run_id, status: "FINISHED", end_time: 1_767_225_660_000 });
    await mlflow("registered-models/create", { name: "price" });
    await mlflow("model-versions/create", { name: "price", source: `${artifact_uri}/model`, run_id });
    await mlflow("registered-models/alias", { name: "price", alias: "best", version: "1" });
  } finally {
    await server.stop();
  }
}

async function keep(): Promise<void> {
  const database = new DatabaseSync(join(folder, ".esteira/metadata.sqlite"));
  const tables = database
    .prepare(
      "select name from sqlite_master where type = 'table' and name not in ('sqlite_sequence', 'engine_instance') order by name",
    )
    .all()
    .map((row) => String(row["name"]));
  const rows = Object.fromEntries(
    tables
      .map((table) => [table, database.prepare(`select * from "${table}"`).all()])
      .filter(([, all]) => (all as object[]).length > 0),
  ) as Record<string, object[]>;
  const schema = database
    .prepare(
      "select sql from sqlite_master where sql is not null and name <> 'sqlite_sequence' order by type desc, name",
    )
    .all()
    .map((row) => `${String(row["sql"])};`);
  database.close();
  const place = resolve(import.meta.dirname, `store-${rows["schema_migration"]?.length}`);
  await rm(place, { recursive: true, force: true });
  for (const path of Object.keys(PROJECT)) {
    await mkdir(dirname(join(place, "project", path)), { recursive: true });
    await cp(join(folder, path), join(place, "project", path));
  }
  const files = join(folder, ".esteira");
  await cp(files, join(place, "files"), {
    recursive: true,
    filter: (source) => !/\/(metadata\.sqlite[^/]*|work|cache|python|code)(\/|$)/.test(source.slice(files.length)),
  });
  const text = JSON.stringify(rows, undefined, 1);
  if (text.includes(folder))
    throw new Error(
      `the store holds a path of this machine: ${text.slice(Math.max(0, text.indexOf(folder) - 200), text.indexOf(folder) + 100)}`,
    );
  await writeFile(join(place, "rows.json"), `${text}\n`);
  await writeFile(join(place, "schema.sql"), `${schema.join("\n")}\n`);
  process.stdout.write(
    `${place}: ${Object.keys(rows).length} tables, ${(await readFile(join(place, "rows.json"))).length} bytes of rows\n`,
  );
}
