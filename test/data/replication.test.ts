import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import pg from "pg";
import type { CaptureDeclaration } from "#data";
import {
  extendDatasetWrite,
  listCapturedFiles,
  listOpenDatasetWrites,
  setCapturedFileState,
} from "#metadata-store/data";
import { TEST_POSTGRES } from "../setup/databases.ts";
import { runEsteira } from "../setup/command-line.ts";
import { startPostgres, type TestPostgresServer } from "../setup/logical-postgres.ts";
import { temporaryFolder } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

type Write = CaptureDeclaration["write"];

const server = await startPostgres();
const problem = "problem" in server ? server.problem : false;

describe("capture of changes by logical replication", { skip: problem }, () => {
  if ("problem" in server) return;
  const shop = server;
  let number = 0;

  /** A table of its own, with a publication, and a project that follows it. */
  async function follow(columns = "id int primary key, name text, amount numeric(10,2)"): Promise<Followed> {
    const table = `t${++number}`;
    await shop.query(`create table ${table} (${columns})`);
    await shop.query(`create publication p_${table} for table ${table}`);
    return open(shop, table);
  }

  it("reads all rows, then changes only, deletes and changed keys too, as the table has them", async () => {
    const { table, run, same, project } = await follow();
    await shop.query(`insert into ${table} select n, 'row ' || n, n / 3.0 from generate_series(1, 1000) n`);
    const first = await run();
    assert.equal(first.outcome.facts?.["published"], 1000);
    await same();
    await shop.query(`update ${table} set name = 'ç "x", é' where id <= 3; delete from ${table} where id between 10 and 12;
      insert into ${table} values (2000, null, 1.5), (2001, '', null); update ${table} set id = id + 5000 where id in (20, 21)`);
    const second = await run();
    assert.deepEqual(
      { ...second.outcome.facts },
      { files: 1, filesHeldBack: 0, read: 7, published: 7, quarantined: 0, added: 4, changed: 3, deleted: 5 },
    );
    await same();
    const third = await run();
    assert.equal(third.outcome.facts?.["files"], 0);
    assert.equal(third.versions[0]?.version, second.versions[0]?.version);
    assert.match(project.logged.join("\n"), /no change of postgres .*/);
  });

  it("brings each row once, whatever changes it has while all rows are read", async () => {
    const { table, run, same } = await follow();
    await shop.query(`insert into ${table} select n, 'x', 0 from generate_series(1, 5000) n`);
    let over = false;
    const writer = (async () => {
      for (let round = 0; !over; round++)
        await shop.query(
          `begin; update ${table} set amount = amount + 1 where id % 97 = ${round % 97}; delete from ${table} where id = ${round + 1};
           insert into ${table} values (${10000 + round}, 'new', ${round}); commit`,
        );
    })();
    try {
      for (let round = 0; round < 4; round++) await run();
    } finally {
      over = true;
      await writer;
    }
    await run();
    await same();
  });

  it("keeps large values that did not change, also with a new key and in a table that moved on", async () => {
    const { table, run, same, project } = await follow("id int primary key, small text, large text, doc jsonb");
    await shop.query(`alter table ${table} alter large set storage external;
      insert into ${table} select n, 'a', repeat('0123456789', 1000) || n, jsonb_build_object('n', repeat('y', 3000)) from generate_series(1, 20) n`);
    await run();
    await shop.query(`update ${table} set small = 'b' where id <= 5; update ${table} set id = 100 + id where id in (6, 7);
      update ${table} set large = null where id = 1; update ${table} set small = 'c' where id = 1;
      insert into ${table} values (50, 'n', repeat('z', 9000), null); update ${table} set small = 'm' where id = 50;
      update ${table} set small = 'd' where id = 9; delete from ${table} where id = 9`);
    await run();
    await same();
    assert.match(project.logged.join("\n"), /6 rows with large values that did not change were read from the table/);
    await shop.query(`alter table ${table} replica identity full; update ${table} set small = 'full' where id = 2`);
    await run();
    await same();
  });

  it("reads thousands of rows with large values that did not change by a key of several columns", async () => {
    const { table, project, run, same } = await follow(
      "id bigint, part text, small int, large text, primary key (id, part)",
    );
    await shop.query(`alter table ${table} alter large set storage external;
      insert into ${table} select n, 'p''"\\ç' || n % 2, 0, repeat('0123456789', 250) from generate_series(1, 12000) n`);
    const write = { merge: ["id", "part"] } as const;
    await run(write);
    await shop.query(`update ${table} set small = 1 where id > 50`);
    await run(write);
    await same();
    assert.match(project.logged.join("\n"), /11950 rows with large values that did not change were read/);
  });

  it("empties the dataset where the table is truncated, and takes what came behind", async () => {
    const { table, run, same } = await follow();
    await shop.query(`insert into ${table} select n, 'x', 0 from generate_series(1, 10) n`);
    await run();
    await shop.query(
      `update ${table} set name = 'gone'; truncate ${table}; insert into ${table} values (3, 'again', 1)`,
    );
    const { outcome } = await run();
    await same();
    assert.equal(outcome.facts?.["deleted"], 9);
    await shop.query(`truncate ${table}`);
    await run();
    await same();
  });

  it("follows columns that are added, dropped and given another type, within one run too", async () => {
    const { table, run, same, project } = await follow();
    await shop.query(`insert into ${table} values (1, 'a', 1), (2, 'b', 2)`);
    await run();
    await shop.query(`update ${table} set name = 'a2' where id = 1; alter table ${table} add column city text, add column tags text[];
      insert into ${table} values (3, 'c', 3, 'Recife', '{"x,y",NULL,"q\\"uote"}'); alter table ${table} alter amount type numeric(10,2);
      update ${table} set city = 'Natal' where id = 2`);
    await run();
    await same();
    assert.match(
      project.logged.join("\n"),
      /new columns: city, tags; rows that did not change since have no value of them/,
    );
    await shop.query(`alter table ${table} drop column city; insert into ${table} values (4, 'd', 4, '{}')`);
    await run();
    await same("id, name, amount, tags");
    const frozen = { ...declaration(table), schema_contract: "freeze" } as const;
    await shop.query(`alter table ${table} add column more int; insert into ${table} values (5, 'e', 5, '{}', 1)`);
    await assert.rejects(project.runCapture(frozen as never), { code: "DATA_CONTRACT_BROKEN" });
    await run();
    await same("id, name, amount, tags, more");
  });

  it("reads every type as the first reading of all rows does", async () => {
    const columns =
      "id bigint primary key, b boolean, f real, d double precision, n numeric, t timestamp, z timestamptz, day date, u uuid, y bytea, a int[], aa text[][], m money, j json, i interval, e time";
    const { table, run, same, project } = await follow(columns);
    const row = (id: number): string =>
      `(${id}, true, 1.1, 0.1, 12345678901234567890.123456789, '2026-01-05 10:00:00.123456', '2026-01-05 10:00:00+03', '2026-02-28', '6ccd780c-baba-1026-9564-5b8c656024db', '\\x00ff10', '{1,NULL,3}', '{{a,b},{"c d",NULL}}', -1234.5, '{"a": [1, 2]}', '1 day 02:00', '10:11:12.5')`;
    await shop.query(`insert into ${table} values ${row(1)}`);
    await run();
    await shop.query(`insert into ${table} values ${row(2)}, (9007199254740993, ${"null, ".repeat(14)}null)`);
    const { versions } = await run();
    await same("id");
    assert.equal(versions[0]?.rowCount, 3);
    const [one, other] = await project.rows(versions[0], "select columns(* exclude id)::varchar from d where id <= 2");
    assert.deepEqual(other, one);
    assert.ok(Object.values(one ?? {}).every((value) => value !== null));
  });

  it("keeps rows that break the contract in the quarantine, and deletes by a key alone", async () => {
    const { table, project } = await follow();
    await project.write(
      "contract.yaml",
      `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer, required: true }
      - { name: name, logicalType: string, required: true }
      - { name: amount, logicalType: number, logicalTypeOptions: { minimum: 0 } }
`,
    );
    await shop.query(`insert into ${table} values (1, 'a', 1), (2, 'b', -2), (3, 'c', 3)`);
    const contract = { ...declaration(table), contract: "contract.yaml" };
    const first = await project.runCapture(contract);
    assert.equal(first.outcome.facts?.["quarantined"], 1);
    await shop.query(
      `delete from ${table} where id = 1; update ${table} set amount = -3 where id = 3; insert into ${table} values (4, 'd', 4)`,
    );
    const { versions } = await project.runCapture(contract);
    assert.deepEqual(
      (await project.rows(versions[0], "select id, amount from d order by id")).map(({ id }) => id),
      [3, 4],
    );
    assert.equal((await project.batches()).length, 2);
  });

  it("has each change as a row with append, and what each row was with history", async () => {
    const { table, project } = await follow();
    await shop.query(`insert into ${table} values (1, 'a', 1)`);
    const log = declaration(table, "append");
    await project.runCapture(log, "log");
    await shop.query(`update ${table} set name = 'b'; delete from ${table}; insert into ${table} values (2, 'c', 2)`);
    const { versions } = await project.runCapture(log, "log");
    const rows = await project.rows(
      versions[0],
      `select _change, id, name, _changed_at is null as undated from d order by _position, _place`,
    );
    assert.deepEqual(
      rows.map(({ _change, id, name, undated }) => [_change, Number(id), name, undated]),
      [
        ["snapshot", 1, "a", true],
        ["update", 1, "b", false],
        ["delete", 1, null, false],
        ["insert", 2, "c", false],
      ],
    );
    await shop.query("select pg_drop_replication_slot($1)", [`s_${table}`]);
    const history = declaration(table, { history: ["id"] } as Write);
    await project.runCapture(history, "history");
    await shop.query(`delete from ${table} where id = 2; insert into ${table} values (3, 'x', 3)`);
    const kept = await project.runCapture(history, "history");
    assert.deepEqual(
      (await project.rows(kept.versions[0], "select id, is_current from d order by id")).map(({ id, is_current }) => [
        Number(id),
        is_current,
      ]),
      [
        [2, false],
        [3, true],
      ],
    );
  });

  it("lets the server forget what a version has, and what concerns other tables", async () => {
    const { table, run } = await follow();
    await shop.query(`insert into ${table} values (1, 'a', 1)`);
    await run();
    const confirmed = async (): Promise<string> => {
      const [slot] = await shop.query(
        "select confirmed_flush_lsn::text as at from pg_replication_slots where slot_name = $1",
        [`s_${table}`],
      );
      return String(slot?.["at"]);
    };
    const start = await confirmed();
    await shop.query("create table if not exists other (x text)");
    await shop.query("insert into other select repeat('x', 100) from generate_series(1, 5000)");
    await run();
    assert.notEqual(await confirmed(), start);
    await shop.query(`insert into ${table} values (2, 'b', 2)`);
    const { versions } = await run();
    assert.equal(versions[0]?.rowCount, 2);
  });

  it("doubles and loses nothing when an attempt dies before its version is recorded, or before the slot is told", async () => {
    const { table, run, same, project } = await follow();
    /** What is left when a process dies that has written a version and not recorded it, and its claim has run out. */
    const die = async (stepRunId: string): Promise<void> => {
      await project.attempt(project.capture, declaration(table), stepRunId);
      await project.store.write(async (transaction) => {
        const of = { project: "p", asset: "d" };
        for (const { operationId } of await listOpenDatasetWrites(transaction, of))
          await extendDatasetWrite(transaction, { ...of, operationId, expiresAtMs: 1 });
      });
    };
    await shop.query(`insert into ${table} select n, 'x', 0 from generate_series(1, 10) n`);
    await die("dead-1");
    await shop.query(`delete from ${table} where id = 1; insert into ${table} values (11, 'y', 1)`);
    await run();
    await same();
    await shop.query(`update ${table} set amount = 5 where id < 5; delete from ${table} where id = 2`);
    await die("dead-2");
    await run();
    await same();
    await shop.query(`insert into ${table} values (12, 'z', 1)`);
    const untold = await project.attempt(project.capture, declaration(table), "untold");
    await project.record({ ...untold, afterwards: () => Promise.resolve() });
    await shop.query(`delete from ${table} where id = 12`);
    await run();
    await same();
  });

  it("says what is missing on the server, and which statement helps", async () => {
    const { table, run, project } = await follow();
    const rejects = (change: object, code: string, message: RegExp): Promise<void> =>
      assert.rejects(
        project.runCapture(declaration(table, { merge: ["id"] }, change)),
        (error: Error & { code: string; hint?: string }) => {
          assert.equal(error.code, code, error.message);
          assert.match(`${error.message} ${error.hint}`, message);
          return true;
        },
      );
    await rejects(
      { publication: "nowhere" },
      "DATA_REPLICATION_UNFIT",
      /no publication nowhere.*create publication "nowhere" for table/s,
    );
    await shop.query("create publication empty_one");
    await rejects({ publication: "empty_one" }, "DATA_REPLICATION_UNFIT", /alter publication "empty_one" add table/);
    await assert.rejects(project.runCapture(declaration(table, { merge: ["name"] })), {
      code: "DATA_REPLICATION_UNFIT",
    });
    await shop.query("create role weak login");
    await shop.query(`grant select on ${table} to weak`);
    const weak = await open(shop, table, shop.url.replace("owner@", "weak@"));
    await assert.rejects(weak.run(), (error: Error & { code: string; hint?: string }) => {
      assert.equal(error.code, "DATA_REPLICATION_UNFIT");
      assert.match(`${error.message} ${error.hint}`, /may not replicate.*alter role USER replication/s);
      return true;
    });
    await run();
    const client = new pg.Client(shop.url);
    await client.connect();
    await shop.query("select pg_drop_replication_slot($1)", [`s_${table}`]);
    await client.end();
    await assert.rejects(run(), (error: Error & { code: string; hint?: string }) => {
      assert.equal(error.code, "DATA_REPLICATION_LOST");
      assert.match(error.hint ?? "", /--again all/);
      return true;
    });
  });

  it("tells that another moved the slot on, and reads the table anew by it when asked to", async () => {
    const { table, run, same, project } = await follow();
    await shop.query(`insert into ${table} values (1, 'a', 1), (2, 'b', 2)`);
    await run();
    await shop.query(`insert into ${table} values (3, 'c', 3); delete from ${table} where id = 1`);
    await shop.query("select pg_replication_slot_advance($1, pg_current_wal_lsn())", [`s_${table}`]);
    await assert.rejects(run(), (error: Error & { code: string }) => {
      assert.equal(error.code, "DATA_REPLICATION_LOST");
      assert.match(error.message, /the slot was moved on to/);
      return true;
    });
    await project.store.write(async (transaction) => {
      const of = { project: "p", dataset: "d" };
      const digests = (await listCapturedFiles(transaction, of)).map(({ digest }) => digest);
      await setCapturedFileState(transaction, { ...of, digests, state: "anew" });
    });
    await run();
    await same();
    await shop.query(`update ${table} set name = 'after' where id = 2`);
    await run();
    await same();
  });

  it("runs by the command line, plans what it would read, and tells the slot behind the version", async () => {
    const { table } = await follow();
    const folder = await temporaryFolder();
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: shop\ncapture: { hosts: [127.0.0.1] }\n");
    await writeFile(
      join(folder, "pipelines/orders.yaml"),
      `steps:
  orders:
    capture:
      postgres: { secret: SHOP, table: public.${table}, replication: { slot: s_${table}, publication: p_${table} } }
    write: { merge: id }
`,
    );
    const esteira = async (...words: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await runEsteira(folder, words, { ESTEIRA_SECRET_SHOP: shop.url });
      assert.equal(code, 0, stdout + stderr);
      return stdout;
    };
    await shop.query(`insert into ${table} values (1, 'a', 1), (2, 'b', 2)`);
    assert.match(await esteira("plan", "orders"), /all rows, and then its changes by the slot/);
    await esteira("run", "orders");
    await shop.query(`delete from ${table} where id = 1; update ${table} set name = 'c'`);
    await shop.query("select pg_switch_wal()");
    await esteira("run", "orders");
    assert.match(await esteira("query", "select id, name from orders"), /2\D+c/);
    const [saved = ""] = /[0-9A-F]+\/[0-9A-F]+/.exec(await esteira("plan", "orders")) ?? [];
    const [slot] = await shop.query(
      "select confirmed_flush_lsn >= $2::pg_lsn as told from pg_replication_slots where slot_name = $1",
      [`s_${table}`, saved],
    );
    assert.equal(slot?.["told"], true);
  });

  it("follows a partitioned table by its root, and only the rows and columns that are published", async () => {
    const table = `t${++number}`;
    await shop.query(`create table ${table} (id int primary key, name text, hidden text, twice int generated always as (id * 2) stored) partition by range (id);
      create table ${table}_a partition of ${table} for values from (0) to (100); create table ${table}_b partition of ${table} for values from (100) to (200);
      insert into ${table} values (1, 'a', 'h'), (2, 'no', 'h'), (150, 'b', 'h')`);
    await shop.query(`create publication p_${table} for table ${table}`);
    const { run, project } = await open(shop, table);
    await assert.rejects(run(), (error: Error & { code: string; hint?: string }) => {
      assert.equal(error.code, "DATA_REPLICATION_UNFIT");
      assert.match(error.hint ?? "", /publish_via_partition_root = true/);
      return true;
    });
    await shop.query(`alter publication p_${table} set (publish_via_partition_root = true);
      alter publication p_${table} set table ${table} (id, name) where (id <> 2)`);
    await run();
    await shop.query(`update ${table} set id = 160 where id = 1; insert into ${table} values (3, 'c', 'h'); delete from ${table} where id = 150;
      update ${table} set name = 'changed' where id = 2`);
    const { versions } = await run();
    const rows = await project.rows(versions[0], "select * from d order by id");
    assert.deepEqual(
      rows.map((row) => JSON.stringify(row)),
      [`{"id":3,"name":"c"}`, `{"id":160,"name":"a"}`],
    );
    assert.match(project.logged.join("\n"), /left out: hidden, twice/);
  });

  it("holds a value that its column cannot have, and that row alone", async () => {
    const { table, run, same, project } = await follow(
      "id int primary key, at timestamptz, n numeric, y bytea, l int[]",
    );
    await shop.query(
      `insert into ${table} values (1, '2026-01-05 10:00:00Z', 1, '\\x0102', '{1,2}'), (2, null, null, null, null)`,
    );
    await run();
    await shop.query(`insert into ${table} values (3, 'infinity', 1, '\\xff', '{3}'), (4, '2026-01-06 10:00:00Z', 'NaN', '\\xff', '{4}'), (5, '2026-01-07 10:00:00Z', 2.5, '\\x00ff', '{5,NULL}');
      delete from ${table} where id = 2`);
    const { outcome } = await run();
    assert.deepEqual(
      [outcome.facts?.["published"], outcome.facts?.["quarantined"], outcome.facts?.["deleted"]],
      [1, 2, 1],
    );
    assert.equal((await project.batches()).length, 1);
    await shop.query(`delete from ${table} where id in (3, 4)`);
    await run();
    await same("id, l");
  });

  it("says that a server does not write its log for it", async () => {
    const project = await openDataProject("sqlite", { captureHosts: ["127.0.0.1"], secret: () => TEST_POSTGRES });
    await assert.rejects(
      project.runCapture(declaration("pg_class")),
      (error: Error & { code: string; hint?: string }) => {
        assert.equal(error.code, "DATA_REPLICATION_UNFIT");
        assert.match(`${error.message} ${error.hint}`, /wal_level = replica.*alter system set wal_level = logical/s);
        return true;
      },
    );
  });

  it("refuses, before a run, what does not go with it", async () => {
    const { project } = await follow();
    const problems = async (change: object, write: Write): Promise<string> => {
      const { capture } = declaration("t");
      const declared = { capture: { postgres: { ...capture.postgres, ...change } }, write } as CaptureDeclaration;
      return (await project.analyse(project.capture, declared, "d")).problems.map(({ message }) => message).join("\n");
    };
    assert.equal(await problems({}, { merge: ["id"] }), "");
    assert.match(await problems({ cursor: { column: "id" } }, { merge: ["id"] }), /finds what is new by itself/);
    assert.match(await problems({ table: undefined, query: "select 1" }, "append"), /replication follows a table/);
    assert.match(await problems({}, "replace"), /only the rows that changed/);
    assert.match(await problems({}, undefined), /does not say how changes meet/);
    assert.match(await problems({}, { merge: ["id"], delete: "missing" }), /deleted are told by the log/);
    assert.match(await problems({}, { merge: ["id"], updated_at: "at" }), /in the order in which they were committed/);
    assert.throws(() => project.capture.schema.parse(declaration("t", "append", { slot: "My Slot" })));
    assert.throws(() => project.capture.schema.parse(declaration("t", "append", { max_lag: "lots" })));
  });

  it("warns of a slot that holds more than max_lag, and drops it when a load fails, where that is declared", async () => {
    const { table, project } = await follow();
    const small = (change: object): CaptureDeclaration => ({
      ...declaration(table, { merge: ["id"] }, { max_lag: "1 MB", ...change }),
      schema_contract: "freeze",
    });
    await shop.query(`insert into ${table} values (1, 'a', 1)`);
    await project.runCapture(small({}));
    await shop.query(`create table big_${table} (x text); insert into big_${table} select repeat('x', 1000) from generate_series(1, 5000);
      alter table ${table} add column extra int; insert into ${table} values (2, 'b', 2, 2)`);
    await assert.rejects(project.runCapture(small({})), { code: "DATA_CONTRACT_BROKEN" });
    assert.match(
      project.logged.join("\n"),
      /warning: the server keeps .* MB of its log for the slot .*pg_drop_replication_slot/,
    );
    await assert.rejects(project.runCapture(small({ beyond: "release" })), { code: "DATA_CONTRACT_BROKEN" });
    assert.deepEqual(await shop.query("select 1 from pg_replication_slots where slot_name = $1", [`s_${table}`]), []);
  });
});

interface Followed {
  readonly table: string;
  readonly project: DataProject;
  run(write?: Write): ReturnType<DataProject["runCapture"]>;
  /** The dataset's latest version is the table, in its columns. */
  same(columns?: string): Promise<void>;
}

async function open(shop: TestPostgresServer, table: string, url = shop.url): Promise<Followed> {
  const project = await openDataProject("sqlite", { captureHosts: ["127.0.0.1"], secret: () => url });
  let latest: Awaited<ReturnType<DataProject["runCapture"]>>["versions"][number] | undefined;
  return {
    table,
    project,
    async run(write) {
      const ran = await project.runCapture(declaration(table, write));
      latest = ran.versions[0];
      return ran;
    },
    async same(columns) {
      const names =
        columns ??
        (
          await shop.query(
            "select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
            [table],
          )
        )
          .map(({ name }) => name)
          .join(", ");
      const list = names
        .split(", ")
        .map((name) => `${name}::text as ${name}`)
        .join(", ");
      const there = await shop.query(`select ${list} from ${table} order by ${table}.id`);
      const here = await project.rows(latest, `select ${list} from d order by d.id limit 50000`);
      const compared = (row: Record<string, unknown> | undefined): unknown =>
        Object.values(row ?? {}).map((value) =>
          typeof value === "string" ? value.replaceAll(/["'{}[\]\s\\]/g, "") : value,
        );
      // One row at a time: a difference of thousands takes for ever to show.
      for (const [index, row] of there.entries()) assert.deepEqual(compared(here[index]), compared(row));
      assert.equal(here.length, there.length);
    },
  };
}

function declaration(table: string, write: Write = { merge: ["id"] }, change: object = {}): CaptureDeclaration {
  return {
    capture: {
      postgres: {
        secret: "SHOP",
        table: `public.${table}`,
        replication: { slot: `s_${table}`, publication: `p_${table}`, ...change },
      },
    },
    ...(write === undefined ? {} : { write }),
  };
}
