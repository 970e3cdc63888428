import assert from "node:assert/strict";
import { it } from "node:test";
import { systemClock } from "#base";
import { askToRestate, restoreDataset } from "#data";
import type { AssetVersion } from "#metadata-store";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const at = (text: string): number => Date.parse(text);

/** Rides by hour: `day` and `n` of the CSV say when and how many. */
function csv(rows: readonly (readonly [string, number])[]): string {
  return `moment,amount\n${rows.map(([moment, amount]) => `${moment},${amount}`).join("\n")}\n`;
}

const BY_DAY =
  "select date_trunc('day', moment)::DATE as day, count(*) as n, sum(amount) as amount\nfrom rides\nwhere moment >= $interval_start and moment < $interval_end\ngroup by all -- $interval_start\n";

async function openRides(
  kind: Parameters<typeof openDataProject>[0],
  now: { ms: number },
): Promise<
  DataProject & { readonly add: (file: string, rows: readonly (readonly [string, number])[]) => Promise<void> }
> {
  const project = await openDataProject(kind, { clock: { ...systemClock, now: () => now.ms } });
  return {
    ...project,
    async add(file, rows) {
      await project.write(`rides/${file}.csv`, csv(rows));
      await project.runCapture({ capture: { files: "rides/*.csv" } }, "rides");
    },
  };
}

const DAILY = { sql: "daily.sql", incremental: { time: "day", interval: "day", start: "2024-01-01" } } as const;

describeStores("incremental models by time", (kind) => {
  it("fill what is missing, late rows and lookback alone, and equal a full rebuild", async () => {
    const now = { ms: at("2024-01-04T15:00:00Z") };
    const project = await openRides(kind, now);
    await project.write("daily.sql", BY_DAY);
    await project.write("full.sql", BY_DAY.replace(/where.*\n/, ""));
    await project.add("a", [
      ["2024-01-01 10:00:00", 1],
      ["2024-01-01 23:59:59", 2],
      ["2024-01-02 00:00:00", 4],
      ["2024-01-04 09:00:00", 8],
    ]);
    const analysis = await project.analyse(project.sql, project.sql.schema.parse(DAILY), "daily", { rides: "data" });
    assert.deepEqual(analysis.problems, []);
    assert.match(
      (await project.preview(project.sql, DAILY, "daily")) ?? "",
      /^makes 3 days \(2024-01-01 to 2024-01-04\) anew: it has not run before$/,
    );
    const run = async (): Promise<AssetVersion> => {
      const { versions } = await project.run(project.sql, project.sql.schema.parse(DAILY), "daily", ["rides"]);
      assert.ok(versions[0]);
      return versions[0];
    };
    const rows = (version: AssetVersion | undefined) => project.rows(version, "select * from d order by day");
    const first = await run();
    assert.deepEqual(await rows(first), [
      { day: "2024-01-01", n: 2, amount: 3 },
      { day: "2024-01-02", n: 1, amount: 4 },
    ]);
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /^nothing to fill/);
    assert.equal((await run()).id, first.id);

    // The day is over, and a row of the first day came late.
    now.ms = at("2024-01-05T00:00:00Z");
    await project.add("b", [["2024-01-01 12:00:00", 100]]);
    assert.equal(
      await project.preview(project.sql, DAILY, "daily"),
      "fills 1 day (2024-01-04 to 2024-01-05); fills again for late rows 1 day (2024-01-01 to 2024-01-02)",
    );
    const second = await run();
    assert.deepEqual(await rows(second), [
      { day: "2024-01-01", n: 3, amount: 103 },
      { day: "2024-01-02", n: 1, amount: 4 },
      { day: "2024-01-04", n: 1, amount: 8 },
    ]);
    // A file that is corrected takes rows away: its days are filled again, and no other.
    await project.add("a", [
      ["2024-01-01 10:00:00", 1],
      ["2024-01-01 23:59:59", 2],
      ["2024-01-04 09:00:00", 8],
    ]);
    assert.equal(
      await project.preview(project.sql, DAILY, "daily"),
      "fills again for late rows 1 day (2024-01-02 to 2024-01-03)",
    );
    const third = await run();
    const whole = await project.run(project.sql, { sql: "full.sql" }, "full", ["rides"]);
    assert.deepEqual(await rows(third), await rows(whole.versions[0]));

    // An idle day gives no row and no version, and is filled all the same.
    now.ms = at("2024-01-06T00:00:00Z");
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /^fills 1 day \(2024-01-05/);
    assert.equal((await run()).id, third.id);
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /^nothing to fill/);

    // A comment changes nothing; what the SQL says makes all anew.
    await project.write("daily.sql", `-- by day\n${BY_DAY}`);
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /^nothing to fill/);
    await project.write("daily.sql", BY_DAY.replace("sum(amount)", "2 * sum(amount)"));
    assert.equal(
      await project.preview(project.sql, DAILY, "daily"),
      "makes 5 days (2024-01-01 to 2024-01-06) anew: its SQL changed",
    );
    assert.deepEqual(
      (await rows(await run())).map(({ amount }) => amount),
      [206, 16],
    );

    // An earlier version comes back with what was filled of it.
    const restored = await restoreDataset(
      { ...project, project: "p" },
      { dataset: "daily", version: first.version, actor: "me" },
    );
    assert.equal(restored.restored, true);
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /its SQL changed/);
  });

  it("are restated by span, look back, and lose what is before a later start", async () => {
    const now = { ms: at("2024-01-10T00:00:00Z") };
    const project = await openRides(kind, now);
    // The factor stands in a dataset without a time: its change touches what cannot be told.
    const sql = BY_DAY.replace("sum(amount)", "sum(amount * factor)").replace("from rides", "from rides, factors");
    await project.write("daily.sql", sql);
    await project.write("factors.csv", "factor\n1\n");
    await project.runCapture({ capture: { files: "factors.csv" } }, "factors");
    await project.add(
      "a",
      Array.from({ length: 9 }, (_, day) => [`2024-01-0${day + 1} 10:00:00`, 1] as const),
    );
    const declare = (more: object) => ({ ...DAILY, incremental: { ...DAILY.incremental, ...more } });
    const amounts = async (more: object = {}): Promise<unknown> => {
      const { versions } = await project.run(project.sql, project.sql.schema.parse(declare(more)), "daily", [
        "rides",
        "factors",
      ]);
      return (await project.rows(versions[0], "select * from d order by day")).map(({ amount }) => amount).join(" ");
    };
    assert.equal(await amounts(), "1 1 1 1 1 1 1 1 1");
    await project.write("factors.csv", "factor\n7\n");
    await project.runCapture({ capture: { files: "factors.csv" }, write: "replace" }, "factors");
    assert.match(
      (await project.preview(project.sql, DAILY, "daily")) ?? "",
      /^nothing to fill.*factors changed, and which intervals that touches cannot be told/,
    );
    assert.equal(await amounts({ lookback: 2 }), "1 1 1 1 1 1 1 7 7");
    const change = { ...project, project: "p" };
    const ask = (span: object) => askToRestate(change, { dataset: "daily", actor: "me", ...span });
    assert.equal(await ask({ from: "2024-01-02T12:00:00Z", to: "2024-01-04" }), "2024-01-02 to 2024-01-04");
    assert.equal(await project.preview(project.sql, DAILY, "daily"), "restates 2 days (2024-01-02 to 2024-01-04)");
    assert.equal(await amounts(), "1 7 7 1 1 1 1 7 7");
    assert.match((await project.preview(project.sql, DAILY, "daily")) ?? "", /^nothing to fill/);
    for (const [span, reason] of [
      [{}, /no span was named/],
      [{ from: "2024-02-30" }, /"2024-02-30" is no date/],
      [{ from: "2024-01-03", to: "2024-01-03" }, /not after its start/],
      [{ from: "2024-01-03", full: true }, /at once/],
      [{ dataset: "rides", full: true }, /has no intervals to fill again/],
      [{ dataset: "none", full: true }, /none/],
    ] as const)
      await assert.rejects(ask(span), reason);
    assert.equal(await amounts({ start: "2024-01-03" }), "7 1 1 1 1 7 7");
    assert.equal(await amounts({ start: "2024-01-02" }), "7 7 1 1 1 1 7 7");
    assert.equal(await ask({ full: true }), "all");
    assert.equal(await amounts({ start: "2024-01-02" }), "7 7 7 7 7 7 7 7");
    // By week what is filled by days is filled, as far as it is whole weeks: Monday the 1st of January to the 8th.
    assert.match(
      (await project.preview(project.sql, declare({ interval: "week" }), "daily")) ?? "",
      /^nothing to fill: all is filled, 2024-01-01 to 2024-01-08|^fills 1 week/,
    );
  });

  const LOCAL_DAY = "timezone('America/Sao_Paulo', moment)::DATE";
  const LOCAL_QUERIES: Readonly<Record<string, string>> = {
    "in the SELECT itself": `select ${LOCAL_DAY} as day, sum(amount) as amount from rides group by day`,
    "in a common table expression": `with local as (select *, ${LOCAL_DAY} as d from rides r) select local.d as day, sum(amount) as amount from local group by 1`,
    "in a subquery, by names of results": `select x.day, sum(amount) as amount from (select timezone('America/Sao_Paulo', rides.moment) as local, local::DATE as day, amount from rides) x group by all`,
    "in both SELECTs of a UNION": `with u as (select ${LOCAL_DAY} as day, amount from rides where amount < 5 union all select ${LOCAL_DAY}, amount from rides where amount >= 5) select day, sum(amount) as amount from u group by day`,
    "by an aggregate": `select min(${LOCAL_DAY}) as day, sum(amount) as amount from rides group by ${LOCAL_DAY}`,
  };
  for (const [where, sql] of Object.entries(LOCAL_QUERIES))
    it(`put late rows into the interval that the model computes, ${where}`, async () => {
      const now = { ms: at("2024-01-06T12:00:00Z") };
      const project = await openRides(kind, now);
      await project.write("daily.sql", sql);
      const run = async (): Promise<unknown> => {
        const { versions } = await project.run(project.sql, project.sql.schema.parse(DAILY), "daily", ["rides"]);
        return project.rows(versions[0], "select day::text as day, amount from d order by day");
      };
      await project.add("a", [
        ["2024-01-02 12:00:00", 1],
        ["2024-01-03 12:00:00", 2],
        ["2024-01-04 12:00:00", 4],
      ]);
      await run();
      // In São Paulo it is still the 2nd.
      await project.add("b", [["2024-01-03 01:30:00", 100]]);
      if (where !== "by an aggregate")
        assert.equal(
          await project.preview(project.sql, DAILY, "daily"),
          "fills again for late rows 1 day (2024-01-02 to 2024-01-03)",
        );
      assert.deepEqual(await run(), [
        { day: "2024-01-02", amount: 101 },
        { day: "2024-01-03", amount: 2 },
        { day: "2024-01-04", amount: 4 },
      ]);
    });

  it("find late rows by a time that is computed from numbers or texts", async () => {
    const now = { ms: at("2024-01-06T12:00:00Z") };
    const project = await openDataProject(kind, { clock: { ...systemClock, now: () => now.ms } });
    await project.write("daily.sql", "select to_timestamp(s)::DATE as day, count(*) as n from e group by day");
    const run = async (file: string, seconds: readonly number[]): Promise<unknown> => {
      await project.write(`e/${file}.csv`, `s\n${seconds.join("\n")}\n`);
      await project.runCapture({ capture: { files: "e/*.csv" } }, "e");
      const { versions } = await project.run(project.sql, project.sql.schema.parse(DAILY), "daily", ["e"]);
      return project.rows(versions[0], "select day::text as day, n from d order by day");
    };
    const second = (text: string): number => at(text) / 1000;
    await run("a", [second("2024-01-02T00:00:00Z"), second("2024-01-03T00:00:00Z")]);
    assert.deepEqual(await run("b", [second("2024-01-02T23:59:59Z")]), [
      { day: "2024-01-02", n: 2 },
      { day: "2024-01-03", n: 1 },
    ]);
  });

  it("refuse rows without a time, leave out rows of other intervals, and say what is wrong before a run", async () => {
    const now = { ms: at("2024-01-03T00:00:00Z") };
    const project = await openRides(kind, now);
    await project.add("a", [
      ["2024-01-01 10:00:00", 1],
      ["2023-12-31 10:00:00", 2],
      ["", 3],
    ]);
    const run = (text: string) =>
      project
        .write("daily.sql", text)
        .then(() => project.run(project.sql, project.sql.schema.parse(DAILY), "daily", ["rides"]));
    await assert.rejects(run("select moment::DATE as day, amount from rides"), {
      code: "DATA_INTERVAL_TIME_MISSING",
    });
    const { versions } = await run("select moment::DATE as day, amount from rides where moment is not null");
    assert.deepEqual(await project.rows(versions[0], "select amount from d"), [{ amount: 1 }]);
    const shifted = await run(
      "select (moment - interval 1 day)::DATE as day, amount, $interval_end as till from rides\nwhere moment >= $interval_start and moment < $interval_end",
    );
    assert.equal(shifted.versions[0]?.rowCount, 0);
    assert.ok(project.logged.some((line) => /left out 1 row that the query gave/.test(line)));
    await assert.rejects(
      run("select moment::DATE as day,\n  ('x' || amount)::INT as n from rides where moment >= $interval_start"),
      /daily\.sql: .*Could not convert string 'x1'/s,
    );
    const problems = async (text: string, declaration: object): Promise<unknown> => {
      await project.write("daily.sql", text);
      const { problems: found } = await project.analyse(project.sql, project.sql.schema.parse(declaration), "daily", {
        rides: "data",
      });
      return found.map(({ path, message }) => [path.join("."), message]);
    };
    assert.deepEqual(await problems("select moment as day, $x as x from rides", DAILY), [
      ["sql", "The query asks for $x, which nothing gives it"],
    ]);
    assert.match(
      String(await problems("select $interval_start as x from rides", { sql: "daily.sql" })),
      /not incremental by time/,
    );
    assert.deepEqual(await problems("select amount as day from rides", DAILY), [
      ["incremental.time", '"day" is BIGINT; a time column is a DATE or a TIMESTAMP'],
    ]);
    assert.match(String(await problems("select moment from rides", DAILY)), /gives no column "day"/);
    assert.match(String(await problems("select moment as day from rides", { ...DAILY, write: "append" })), /both say/);
    assert.equal(
      project.sql.schema.safeParse({ ...DAILY, incremental: { ...DAILY.incremental, start: "soon" } }).success,
      false,
    );
  });
});

describeStores("incremental models by key", (kind) => {
  it("merge, and are made anew when the SQL or the key changes", async () => {
    const project = await openDataProject(kind);
    const declaration = { sql: "m.sql", incremental: { key: ["id"] } };
    await project.write("m.sql", "select id, value from v");
    const run = async (rows: string): Promise<unknown> => {
      await project.write("v.csv", `id,value\n${rows}\n`);
      await project.runCapture({ capture: { files: "v.csv" }, write: "replace" }, "v");
      const { versions } = await project.run(project.sql, project.sql.schema.parse(declaration), "m", ["v"]);
      return (await project.rows(versions[0], "select * from d order by id")).map(({ id, value }) =>
        [id, value].join("="),
      );
    };
    assert.deepEqual(await run("1,a\n2,b"), ["1=a", "2=b"]);
    assert.deepEqual(await run("2,c\n3,d"), ["1=a", "2=c", "3=d"]);
    assert.equal(await project.preview(project.sql, declaration, "m"), "merges by id");
    await project.write("m.sql", "select id, upper(value) as value from v");
    assert.equal(await project.preview(project.sql, declaration, "m"), "is made anew: its SQL changed");
    assert.deepEqual(await run("4,e"), ["4=E"]);
    await askToRestate({ ...project, project: "p" }, { dataset: "m", actor: "me", full: true });
    assert.deepEqual(await run("5,f"), ["5=F"]);
    assert.deepEqual(await run("6,g"), ["5=F", "6=G"]);
  });
});
