import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { isEsteiraError } from "#base";
import type { CaptureDeclaration, DatasetContent } from "#data";
import { mysqlProblem, TEST_MYSQL, TEST_POSTGRES } from "../setup/databases.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const noMysql = await mysqlProblem();

async function open(secrets: Readonly<Record<string, string>> = {}): Promise<DataProject> {
  return openDataProject("sqlite", {
    captureHosts: ["localhost", "127.0.0.1"],
    secret: (name) => ({ PG: TEST_POSTGRES, MY: TEST_MYSQL, ...secrets })[name],
  });
}

async function captured(
  project: DataProject,
  capture: CaptureDeclaration["capture"],
): Promise<{ types: Record<string, string>; row: Record<string, unknown>; facts: unknown }> {
  const { versions, outcome } = await project.runCapture({ capture });
  const [version] = versions;
  assert.ok(version);
  const { columns } = version.content as DatasetContent;
  const [row = {}] = await project.rows(version, "select * from d");
  return { types: Object.fromEntries(columns.map(({ name, type }) => [name, type])), row, facts: outcome.facts };
}

describe("types of PostgreSQL", () => {
  it("are mapped exactly, with every value that the type can have", async () => {
    const project = await open();
    const { types, row } = await captured(project, {
      postgres: {
        secret: "PG",
        query: `select 9223372036854775807::int8 as big, (-32768)::int2 as small, 12345678901234567890.12::numeric(30,2) as amount, 0.1::numeric as loose,
          'NaN'::float8 as nan, '-Infinity'::float8 as low, 0.1::float4 as single, true as yes, date '2026-02-28' as day, time '23:59:59.5' as hour,
          timestamptz '2026-01-05 10:00:00.123456-03' as moment, timestamp '2026-01-05 10:00' as local, interval '1 day 2 hours' as span,
          '{"a": 9007199254740993}'::jsonb as doc, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as id, '\\xdead00'::bytea as bytes,
          array[1, null, 9007199254740993] as longs, array['a,b', '{"x"}', null, ''] as texts, array[1.50, 2.25]::numeric(5,2)[] as sums, '{}'::date[] as days,
          b'1010' as bits, '10.0.0.0/8'::inet as net, 12.5::money as cash, null::int as absent`,
      },
    });
    assert.deepEqual(types, {
      big: "BIGINT",
      small: "SMALLINT",
      amount: "DECIMAL(30,2)",
      loose: "DECIMAL(38,18)",
      nan: "DOUBLE",
      low: "DOUBLE",
      single: "FLOAT",
      yes: "BOOLEAN",
      day: "DATE",
      hour: "VARCHAR",
      moment: "TIMESTAMP WITH TIME ZONE",
      local: "TIMESTAMP WITH TIME ZONE",
      span: "VARCHAR",
      doc: "VARCHAR",
      id: "VARCHAR",
      bytes: "BLOB",
      longs: "BIGINT[]",
      texts: "VARCHAR[]",
      sums: "DECIMAL(5,2)[]",
      days: "DATE[]",
      bits: "VARCHAR",
      net: "VARCHAR",
      cash: "DECIMAL(19,2)",
      absent: "INTEGER",
    });
    assert.deepEqual(
      { ...row, single: undefined },
      {
        big: "9223372036854775807",
        small: -32768,
        amount: "12345678901234567890.12",
        loose: "0.100000000000000000",
        nan: "NaN",
        low: "-Infinity",
        single: undefined,
        yes: true,
        day: "2026-02-28",
        hour: "23:59:59.5",
        moment: "2026-01-05T13:00:00.123456Z",
        local: "2026-01-05T10:00:00Z",
        span: "1 day 02:00:00",
        doc: '{"a": 9007199254740993}',
        id: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        bytes: "\\xDE\\xAD\\x00",
        longs: ["1", null, "9007199254740993"],
        texts: ["a,b", '{"x"}', null, ""],
        sums: ["1.50", "2.25"],
        days: [],
        bits: "1010",
        net: "10.0.0.0/8",
        cash: "12.50",
        absent: null,
      },
    );
  });

  it("hold a row for a value that a table cannot have, and let the others through", async () => {
    const project = await open();
    const { facts } = await captured(project, {
      postgres: {
        secret: "PG",
        query:
          "select * from (values (1, timestamptz 'infinity', 1::numeric), (2, '2026-01-05', 'NaN'), (3, '2026-01-05', 1e-30), (4, '0044-03-15 BC', 2), (5, '2026-01-06', 2.5)) v (id, at, n)",
      },
    });
    assert.deepEqual(facts, { files: 1, filesHeldBack: 0, read: 5, published: 1, quarantined: 4 });
    const [batch] = await project.batches();
    assert.deepEqual(batch?.rules, { "type:at": 2, "type:n": 2 });
  });
});

describe("types of MySQL", { skip: noMysql }, () => {
  it("are mapped exactly, unsigned ones, bits and zero dates too", async () => {
    const connection = await createConnection(TEST_MYSQL);
    const table = `types_${Math.random().toString(36).slice(2)}`;
    after(async () => {
      await connection.query(`drop table ${table}`);
      await connection.end();
    });
    await connection.query("set sql_mode = ''");
    await connection.query(`create table ${table} (
      t tinyint, flag tinyint(1), ut tinyint unsigned, s smallint unsigned, i int unsigned, b bigint unsigned, d decimal(20,4), wide decimal(60,2),
      f float, g double, day date, at datetime(6), stamp timestamp null, hour time, y year, bits bit(5), e enum('a','b'), st set('x','y'),
      doc json, bin varbinary(10), txt text character set latin1, c char(3))`);
    await connection.query(
      `insert into ${table} values (-128, 2, 255, 65535, 4294967295, 18446744073709551615, -1234567890123456.7891, 1, 0.1, 1e300, '2026-02-28', '2026-01-05 10:00:00.123456',
       '2026-01-05 10:00:00', '-838:59:59', 2026, b'101', 'b', 'x,y', '{"a":1}', x'00ff', 'ação', 'ab')`,
    );
    const project = await open();
    const { types, row } = await captured(project, { mysql: { secret: "MY", table } });
    assert.deepEqual(types, {
      t: "TINYINT",
      flag: "TINYINT",
      ut: "SMALLINT",
      s: "INTEGER",
      i: "BIGINT",
      b: "DECIMAL(20,0)",
      d: "DECIMAL(20,4)",
      wide: "VARCHAR",
      f: "FLOAT",
      g: "DOUBLE",
      day: "DATE",
      at: "TIMESTAMP WITH TIME ZONE",
      stamp: "TIMESTAMP WITH TIME ZONE",
      hour: "VARCHAR",
      y: "SMALLINT",
      bits: "VARCHAR",
      e: "VARCHAR",
      st: "VARCHAR",
      doc: "VARCHAR",
      bin: "BLOB",
      txt: "VARCHAR",
      c: "VARCHAR",
    });
    assert.equal(row["b"], "18446744073709551615");
    assert.equal(row["d"], "-1234567890123456.7891");
    assert.equal(row["at"], "2026-01-05T10:00:00.123456Z");
    assert.equal(row["bits"], "00101");
    assert.equal(row["bin"], "\\x00\\xFF");
    assert.equal(row["txt"], "ação");
    assert.equal(row["hour"], "-838:59:59");
    assert.equal(Math.fround(Number(row["f"])), Math.fround(0.1));
    await connection.query(`insert into ${table} (t, day, at) values (1, '0000-00-00', '2026-00-00')`);
    assert.deepEqual((await captured(project, { mysql: { secret: "MY", table } })).facts, {
      files: 1,
      filesHeldBack: 0,
      read: 2,
      published: 1,
      quarantined: 1,
    });
    await connection.query(`update ${table} set at = '0000-00-00' where t = 1`);
    const lenient = await captured(project, { mysql: { secret: "MY", table, zero_dates: "missing" } });
    assert.deepEqual(lenient.facts, { files: 1, filesHeldBack: 0, read: 2, published: 2, quarantined: 0 });
  });
});

describe("types of SQLite", () => {
  it("are those that are declared; where none is, the values say it", async () => {
    const project = await open();
    const database = new DatabaseSync(join(project.folder, "shop.db"));
    database.exec(
      "create table t (i integer, r real, d decimal(10,2), b boolean, day date, at timestamp, x blob, txt text); insert into t values (9223372036854775807, 0.1, 12.5, 1, '2026-02-28', '2026-01-05T10:00:00Z', x'00ff', 'a')",
    );
    database.close();
    const { types, row } = await captured(project, {
      sqlite: { file: "shop.db", query: "select *, i * 1 as product, r || '' as joined from t" },
    });
    assert.deepEqual(types, {
      i: "BIGINT",
      r: "DOUBLE",
      d: "DECIMAL(10,2)",
      b: "BOOLEAN",
      day: "DATE",
      at: "TIMESTAMP WITH TIME ZONE",
      x: "BLOB",
      txt: "VARCHAR",
      product: "BIGINT",
      joined: "VARCHAR",
    });
    assert.deepEqual(
      { i: row["i"], d: row["d"], b: row["b"], at: row["at"], x: row["x"] },
      { i: "9223372036854775807", d: "12.50", b: true, at: "2026-01-05T10:00:00Z", x: "\\x00\\xFF" },
    );
  });
});

describe("where a database is, and its password,", () => {
  it("are refused by lint when a password stands in the project, without repeating it", async () => {
    const project = await open();
    const problems = async (capture: CaptureDeclaration["capture"], write?: CaptureDeclaration["write"]) =>
      (await project.analyse(project.capture, { capture, ...(write === undefined ? {} : { write }) }, "d")).problems;
    for (const capture of [
      { postgres: { url: "postgres://me:s3cret-word@db.example.org/shop", table: "t" } },
      { mysql: { url: "mysql://me@db.example.org/shop?password=s3cret-word", table: "t" } },
    ]) {
      const found = await problems(capture);
      assert.match(found[0]?.message ?? "", /password/);
      assert.deepEqual(found[0]?.path, ["capture", Object.keys(capture)[0], "url"]);
      assert.ok(!JSON.stringify([found, project.capture.describe({ capture })]).includes("s3cret-word"));
    }
    assert.match(
      (await problems({ postgres: { secret: "PG", table: "t", query: "q" } }))[0]?.message ?? "",
      /both table/,
    );
    assert.match((await problems({ postgres: { secret: "PG", table: "t" } }, "append"))[0]?.message ?? "", /again/);
    assert.match(
      (await problems({ files: "a.csv", postgres: { secret: "PG", table: "t" } }))[0]?.message ?? "",
      /one source/,
    );
    assert.match(
      (await problems({ postgres: { secret: "PG", table: "t" }, csv: {} }))[0]?.message ?? "",
      /about files/,
    );
    assert.match(
      (await problems({ postgres: { secret: "PG", table: "t", cursor: { column: "at", lookback: "1h" } } }))[0]
        ?.message ?? "",
      /twice/,
    );
    assert.deepEqual(
      await problems({ postgres: { url: "postgres://me@db.example.org/shop", password: "PW", table: "t" } }),
      [],
    );
  });

  it("end the run with a clear error when something is wrong, in which no secret stands", async () => {
    const client = new pg.Client(TEST_POSTGRES);
    await client.connect();
    const role = `reader_${Math.random().toString(36).slice(2)}`;
    after(async () => {
      await client.query(`drop role ${role}`);
      await client.end();
    });
    await client.query(`create role ${role} login password 'right'`);
    const away = new URL(TEST_POSTGRES);
    away.port = "1";
    away.password = "s3cret-word";
    const mysql = new URL(TEST_MYSQL);
    mysql.password = "s3cret-word";
    const project = await open({ AWAY: away.href, WORD: "s3cret-word", ODD: "s3cret-word", WRONG: mysql.href });
    const table = "t";
    const cases: readonly (readonly [CaptureDeclaration["capture"], string])[] = [
      [{ postgres: { secret: "AWAY", table } }, "DATA_SOURCE_UNREACHABLE"],
      [{ postgres: { secret: "ODD", table } }, "DATA_SOURCE_SECRET_UNFIT"],
      [{ postgres: { secret: "NONE", table } }, "DATA_SOURCE_SECRET_UNFIT"],
      [{ postgres: { url: "postgres://me@10.1.2.3/shop", password: "WORD", table } }, "DATA_SOURCE_HOST_REFUSED"],
      [
        {
          postgres: {
            url: `${new URL(TEST_POSTGRES).origin === "null" ? "postgres://127.0.0.1:5432" : ""}/nowhere`.replace(
              "//",
              `//${role}@`,
            ),
            password: "WORD",
            table,
          },
        },
        "DATA_SOURCE_SIGN_IN_REFUSED",
      ],
      ...(noMysql === false ? [[{ mysql: { secret: "WRONG", table } }, "DATA_SOURCE_SIGN_IN_REFUSED"] as const] : []),
      [{ sqlite: { file: "none.db", table } }, "DATA_SOURCE_UNREACHABLE"],
      [{ sqlite: { file: "/etc/passwd", table } }, "DATA_CAPTURE_FOLDER_REFUSED"],
    ];
    for (const [capture, code] of cases)
      await assert.rejects(project.runCapture({ capture }), (error: Error) => {
        assert.ok(isEsteiraError(error, code), `${JSON.stringify(capture)}: ${error.stack}`);
        assert.ok(
          !JSON.stringify([error, error.stack, (error.cause as Error | undefined)?.stack]).includes("s3cret-word"),
        );
        return true;
      });
    assert.ok(!project.logged.join().includes("s3cret-word"));
  });

  it("hold a row for a value that would be cut to its column's type, and let the others through", async () => {
    const project = await open();
    const database = new DatabaseSync(join(project.folder, "cut.db"));
    database.exec(
      "create table t (id text, n integer, day date); insert into t values ('whole', 2, '2026-02-28'), ('half', 1.5, '2026-02-28'), ('tiny', 1e-9, null), ('moment', 3, '2026-02-28 23:59:00'), ('none', null, null), ('midnight', 4, '2026-02-28 00:00:00')",
    );
    database.close();
    const { outcome, versions } = await project.runCapture({ capture: { sqlite: { file: "cut.db", table: "t" } } });
    assert.deepEqual([outcome.facts?.["published"], outcome.facts?.["quarantined"]], [3, 3]);
    assert.deepEqual(
      await project.rows(versions[0], "select id, n::int as n, day::varchar as day from d order by id"),
      [
        { id: "midnight", n: 4, day: "2026-02-28" },
        { id: "none", n: null, day: null },
        { id: "whole", n: 2, day: "2026-02-28" },
      ],
    );
  });
});
