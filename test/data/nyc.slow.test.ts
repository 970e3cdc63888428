import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join, resolve } from "node:path";
import { it } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const EXAMPLE = resolve(import.meta.dirname, "../../examples/nyc");
const LEFT_THERE = ["package", "data", "out", ".esteira"];
const SECRETS = { ESTEIRA_SECRET_WEATHER_TOKEN: "open-sesame", ESTEIRA_SECRET_PERSON_KEY: "sixteen or more letters" };

let folder: string;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  server.close();
  return address.port;
}

async function succeeds(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runEsteira(folder, words, SECRETS);
  assert.equal(code, 0, stdout + stderr);
  return stdout + stderr;
}

async function query(sql: string): Promise<unknown> {
  const { code, stdout, stderr } = await runEsteira(folder, ["query", sql, "--limit", "100000", "--json"], SECRETS);
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { rows: unknown }).rows;
}

function sources(...words: string[]): void {
  const { status, stderr } = spawnSync("python3", ["sources.py", ...words], { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** What plain DuckDB says of the files of the package, which nothing of the example has touched. */
async function openPackage(): Promise<(sql: string) => Promise<unknown>> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  for (const name of ["flights", "weather", "planes", "airports", "airlines"])
    await connection.run(
      `create table ${name} as select *, row_number() over () as place from read_csv('${folder}/package/${name}.csv', nullstr = 'NA')`,
    );
  await connection.run("set timezone = 'UTC'");
  return async (sql) => (await connection.runAndReadAll(sql)).getRowsJson();
}

/** Figures as text, whole numbers and others alike, to twelve digits. */
const figures = (rows: unknown): unknown =>
  JSON.parse(
    JSON.stringify(rows, (_, value: unknown) => {
      const number = typeof value === "string" && /^-?[0-9.]+(e-?\d+)?$/.test(value) ? Number(value) : value;
      return typeof number === "number" ? Number(number.toPrecision(12)) : number;
    }),
  );

it(
  "the example of flights from New York has the figures of its package, whatever its sources do",
  {
    timeout: 900_000,
  },
  async (t) => {
    folder = await temporaryFolder();
    await cp(EXAMPLE, folder, { recursive: true, filter: (path) => !LEFT_THERE.includes(basename(path)) });
    const port = await freePort();
    const pipeline = join(folder, "pipelines/nyc.yaml");
    await writeFile(pipeline, (await readFile(pipeline, "utf8")).replace(":8913", `:${port}`));
    sources("fetch");
    const truth = await openPackage();
    sources("deliver", "1");
    const service: ChildProcess = spawn("python3", ["sources.py", "serve"], {
      cwd: folder,
      stdio: "ignore",
      env: { ...process.env, ...SECRETS, NYC_PORT: String(port) },
    });
    t.after(() => service.kill());
    const same = async (ours: string, theirs = ours): Promise<void> =>
      assert.deepEqual(figures(await query(ours)), figures(await truth(theirs)));

    await t.test("in the middle of the year, without what is late", async () => {
      await succeeds("lint");
      assert.match(await succeeds("test"), /1 unit test passes/);
      await succeeds("run", "nyc");
      const inTime = "month <= 6 and not (place % 211 = 0 and month <= 5)";
      await same(
        "select count(*), sum(dep_delay) from flights",
        `select count(*), sum(dep_delay) from flights where ${inTime}`,
      );
      await same(
        "select count(*) from weather",
        "select count(*) from weather where time_hour < timestamptz '2013-07-01 00:00:00+00'",
      );
      // One value, which is in the package: 1048 miles an hour at Newark.
      assert.match(await succeeds("dataset", "show", "weather"), /wind_speed: outliers changed 1 of the values read/);
      assert.match(await succeeds("run", "nyc"), /weather .*read \d+, published \d+/);
      await same("select count(*) from flights", `select count(*) from flights where ${inTime}`);
    });

    await t.test("at its end, with late flights on their days", async () => {
      sources("deliver", "2");
      await succeeds("run", "nyc", "--only", "flights");
      assert.match(await succeeds("plan", "nyc"), /daily .*fills again for late rows \d+ days/);
      await succeeds("run", "nyc");
      await same(
        "select count(*), count(dep_time), sum(dep_delay), sum(arr_delay), sum(air_time), sum(distance), count(distinct tailnum), min(carrier), max(carrier) from flights",
      );
      assert.deepEqual(await query("select count(*)::int as n from flights"), [[336_776]]);
      const daily = (day: string): string =>
        `select ${day}, origin, flights::int, cancelled::int, late::int, delay_minutes::int from`;
      await same(
        `${daily("day::varchar")} daily order by all`,
        `${daily("day")} (select make_date(year, month, day)::varchar as day, origin, count(*) as flights, count(*) filter (where dep_time is null) as cancelled,
        count(*) filter (where arr_delay > 15) as late, sum(dep_delay) as delay_minutes from flights group by all) order by all`,
      );
    });

    await t.test("in every list, converted, without what is impossible", async () => {
      await same(
        "select count(*), sum(lat), sum(lon), sum(alt) from airports",
        "select count(*), sum(lat), sum(lon), sum(alt * 0.3048) from airports",
      );
      await same("select carrier, name from airlines order by carrier");
      await same(
        "select count(*), count(temp), avg(temp), count(wind_speed), max(wind_speed), sum(precip) from weather",
        `select count(*), count(temp), avg((temp - 32) * 5 / 9), count(wind_speed) filter (where wind_speed < 1000),
        max(wind_speed) filter (where wind_speed < 1000) * 0.44704, sum(precip) * 25.4 from weather`,
      );
    });

    await t.test("by who owned a plane when it flew, and by no address of a person", async () => {
      const owners = [
        "Aurora Leasing",
        "Bandeira Air Finance",
        "Cormorant Capital",
        "Delta Sky Trust",
        "Everglade Partners",
      ];
      const list = `[${owners.map((owner) => `'${owner}'`).join(", ")}]`;
      await same(
        "select owner, flights::int, planes::int, arr_delay from owners order by owner",
        `select ${list}[1 + (p.place % 5 + case when p.place % 40 = 0 and p.place % 900 <> 0 and time_hour >= timestamptz '2013-07-01 00:00:00+00' then 1 else 0 end) % 5] as owner,
        count(*)::int, count(distinct tailnum)::int, avg(arr_delay) from flights join planes p using (tailnum) group by 1 order by 1`,
      );
      await same(
        "select count(*) filter (where is_current), count(*) from planes",
        "select count(*) filter (where place % 900 <> 0), count(*) + count(*) filter (where place % 40 = 0 and place % 900 <> 0) from planes",
      );
      assert.deepEqual(
        await query(
          "select count(*)::int from planes where not regexp_full_match(contact, '[0-9a-f]{32}@token[.]invalid')",
        ),
        [[0]],
      );
      assert.deepEqual(await query("select count(distinct contact)::int from planes"), [[5]]);
    });

    await t.test("holds back what is broken, and delivers the rest", async () => {
      const listed = await succeeds("quarantine", "list", "flights");
      const [[broken]] = (await truth(
        "select count(*)::int from flights where place % 4999 = 0 and not (place % 211 = 0 and month <= 5)",
      )) as [[number]];
      assert.equal(listed.split("\n").filter((line) => line.startsWith("data/flights-")).length, broken);
      await succeeds("query", "--file", "sql/worst_days.sql", "--format", "csv", "--output", "out/worst_days.csv");
      const [head, first] = (await readFile(join(folder, "out/worst_days.csv"), "utf8")).split("\n");
      assert.equal(head, "day,flights,cancelled,mean_delay");
      assert.match(first ?? "", /^2013-03-08,/);
    });
  },
);
