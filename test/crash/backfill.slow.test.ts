// A backfill is killed in the middle, goes on, is paused and resumed: its tables equal those of an undisturbed one.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DuckDBInstance } from "@duckdb/node-api";
import type { StoreKind } from "#metadata-store";
import { runEsteira, signalGroup, startEsteira } from "../setup/command-line.ts";
import { createPostgresSchema, describeStores, temporaryFolder } from "../setup/stores.ts";

/** So many days, and three of them whose rows the first query cannot read. */
const DAYS = { sqlite: 1000, postgres: 150 } as const;
const WRONG = [7, 61, 119];
const FLIGHTS = resolve(import.meta.dirname, "../../node_modules/vega-datasets/data/flights-3m.parquet");
const START = Date.UTC(2020, 0, 1);
const dayOf = (day: number): string => new Date(START + day * 86_400_000).toISOString().slice(0, 10);

const query = (cast: string): string =>
  `select id, moment, origin, ${cast}(delay as integer) as delay from rides where moment >= $partition_start and moment < $partition_end\n`;
const BROKEN = query("cast");
const FIXED = query("try_cast");

/** Twenty flights a day, of those that the vega datasets have, spread over all days. */
async function writeFlights(file: string, days: number): Promise<void> {
  const connection = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect();
  const wrong = `floor(id / 20) in (${WRONG.join()}) and id % 20 = 3`;
  await connection.run(
    `copy (with numbered as (select row_number() over () - 1 as id, * from read_parquet('${FLIGHTS}') limit ${days * 20})
     select id, timestamp '2020-01-01' + to_days(cast(floor(id / 20) as integer)) + to_minutes(id * 67 % 1440) as moment,
     origin, case when ${wrong} then 'late' else cast(delay as varchar) end as delay from numbered) to '${file}' (header)`,
  );
  connection.closeSync();
}

async function createProject(kind: StoreKind, sql: string): Promise<string> {
  const folder = await temporaryFolder();
  const store = kind === "sqlite" ? "" : `store: { metadata: "${await createPostgresSchema()}" }\n`;
  const files: Readonly<Record<string, string>> = {
    "esteira.yaml": `name: p\n${store}`,
    "daily.sql": sql,
    "pipelines/source.yaml": "steps: { rides: { capture: { files: rides.csv } } }\n",
    "pipelines/days.yaml": `partitions: { every: day, start: ${dayOf(0)}, end: ${dayOf(DAYS[kind])} }\nsteps: { daily: { sql: daily.sql, partition_by: moment } }\n`,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFlights(join(folder, "rides.csv"), DAYS[kind]);
  const { code, stderr } = await runEsteira(folder, ["run", "source"]);
  assert.equal(code, 0, stderr);
  return folder;
}

async function rowsOf(folder: string): Promise<unknown> {
  const { code, stdout, stderr } = await runEsteira(folder, [
    "query",
    "select count(*) as n, count(distinct id) as ids, count(delay) as delays, bit_xor(hash(id, moment, origin, delay)) as content from daily",
    "--json",
  ]);
  assert.equal(code, 0, stderr);
  const { rows }: { readonly rows: unknown } = JSON.parse(stdout);
  return rows;
}

interface Listed {
  readonly id: string;
  readonly status: string;
  readonly succeeded: number;
  readonly failed: number;
}

async function listed(folder: string): Promise<Listed | undefined> {
  const { stdout } = await runEsteira(folder, ["backfill", "list", "--json"]);
  const [newest]: readonly Listed[] = JSON.parse(stdout);
  return newest;
}

/** Waits until so many are made. */
async function made(folder: string, count: number): Promise<Listed> {
  for (;;) {
    const state = await listed(folder);
    if (state !== undefined && state.succeeded >= count) return state;
    await delay(300);
  }
}

describeStores("a backfill of many partitions", (kind) => {
  it(
    "that is killed in the middle, paused, resumed, and of which three slices are retried ends as an undisturbed one",
    { timeout: 1_800_000 },
    async () => {
      const days = DAYS[kind];
      const folder = await createProject(kind, BROKEN);
      const first = startEsteira(folder, ["run", "days", "--partition", `${dayOf(0)}..${dayOf(days - 1)}`]);
      const { id } = await made(folder, Math.floor(days * 0.3));
      signalGroup(first.child, "SIGKILL");
      await first.ended;
      const second = startEsteira(folder, ["backfill", "resume", id]);
      await made(folder, Math.floor(days * 0.6));
      assert.equal((await runEsteira(folder, ["backfill", "pause", id])).code, 0);
      const paused = await second.ended;
      assert.match(paused.stdout, /paused/, paused.stderr);
      const last = await runEsteira(folder, ["backfill", "resume", id]);
      assert.equal(last.code, 1, last.stderr + last.stdout);
      const ended = await listed(folder);
      assert.deepEqual([ended?.succeeded, ended?.failed], [days - WRONG.length, WRONG.length]);

      await writeFile(join(folder, "daily.sql"), FIXED);
      const slices = WRONG.flatMap((day) => ["--partition", dayOf(day)]);
      const retried = await runEsteira(folder, ["backfill", "retry", id, ...slices]);
      assert.equal(retried.code, 0, retried.stderr + retried.stdout);
      assert.match(retried.stdout, new RegExp(`${days.toLocaleString("en")} of ${days.toLocaleString("en")} made`));

      const undisturbed = await createProject(kind, FIXED);
      const whole = await runEsteira(undisturbed, ["backfill", "days"]);
      assert.equal(whole.code, 0, whole.stderr);
      assert.deepEqual(await rowsOf(folder), await rowsOf(undisturbed));
    },
  );
});
