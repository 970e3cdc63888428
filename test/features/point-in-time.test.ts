import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type Analytics, type AnalyticsConnection, createAnalytics } from "#data";
import { joinPointInTime, type JoinedView } from "#features";
import { temporaryFolder } from "../setup/stores.ts";

const HOUR_US = 3_600e6;

function view(options: Partial<JoinedView> = {}): JoinedView {
  return {
    view: "v",
    alias: "v",
    source: "v",
    keys: [{ spine: "k", source: "k" }],
    timestamp: "ts",
    created: "created",
    availableAfterUs: 0,
    ttlUs: 2 * HOUR_US,
    features: [{ column: "x", name: "x" }],
    ...options,
  };
}

describe("a point-in-time join", () => {
  let analytics: Analytics;
  let connection: AnalyticsConnection;
  before(async () => {
    analytics = createAnalytics({ folder: await temporaryFolder(), threads: 2 });
    connection = await analytics.connect();
  });

  async function join(
    spine: string,
    source: string,
    options: { joined?: JoinedView; onlyKnown?: boolean; unique?: boolean } = {},
  ): Promise<readonly unknown[]> {
    const joined = options.joined ?? view();
    const rows = await joinPointInTime({
      connection,
      spine: { name: "spine", relation: spine, timestamp: "t" },
      views: [{ joined, relation: source, unique: options.unique ?? false }],
      onlyKnown: options.onlyKnown ?? false,
    });
    const result = await connection.rows(`${rows.select()}`);
    await rows.drop();
    return result;
  }

  const SOURCE = `(select * from (values
    (1, timestamp '2026-01-01 09:00', timestamp '2026-01-01 09:05', 10),
    (1, timestamp '2026-01-01 10:00', timestamp '2026-01-01 10:05', 20),
    (1, timestamp '2026-01-01 10:00', timestamp '2026-01-01 12:00', 21),
    (2, timestamp '2026-01-01 08:00', timestamp '2026-01-01 08:01', 30),
    (3, timestamp '2026-01-01 11:00', null, 40)) s(k, ts, created, x))`;
  const SPINE = `(select * from (values
    (0, 1, timestamp '2026-01-01 10:00'), (1, 1, timestamp '2026-01-01 11:00'), (2, 1, timestamp '2026-01-01 12:00'),
    (3, 1, timestamp '2026-01-01 12:00:01'), (4, 2, timestamp '2026-01-01 10:00'), (5, 2, timestamp '2026-01-01 10:00'),
    (6, 3, timestamp '2026-01-01 11:30'), (7, 9, timestamp '2026-01-01 12:00'), (8, 1, timestamp '2026-01-01 08:59'),
    (9, null, timestamp '2026-01-01 12:00')) s(rid, k, t))`;

  it("gives the values of the published golden table, with and without knowledge of created times", async () => {
    const values = (rows: readonly unknown[]): unknown[] => rows.map((row) => (row as { x: number | null }).x);
    assert.deepEqual(values(await join(SPINE, SOURCE)), [21, 21, 21, null, 30, 30, 40, null, null, null]);
    assert.deepEqual(values(await join(SPINE, SOURCE, { onlyKnown: true })), [
      10,
      20,
      21,
      null,
      30,
      30,
      null,
      null,
      null,
      null,
    ]);
  });

  it("keeps the spine's rows, columns, types and order", async () => {
    const spine =
      "(select (7 - i)::smallint as id, case when i % 2 = 0 then 'a|b' else 'a' end as k, timestamp '2026-01-01 10:00' as t, i::decimal(9,2) as amount from range(7) r(i))";
    const rows = (await join(
      spine,
      "(select 'a' as k, timestamp '2026-01-01 09:00' as ts, null::timestamp as created, 1 as x)",
    )) as readonly Record<string, unknown>[];
    assert.deepEqual(
      rows.map(({ id, x }) => [id, x]),
      [
        [7, null],
        [6, 1],
        [5, null],
        [4, 1],
        [3, null],
        [2, 1],
        [1, null],
      ],
    );
    assert.deepEqual(Object.keys(rows[0] ?? {}), ["id", "k", "t", "amount", "x"]);
  });

  it("equals brute force on random rows with ties, NULLs, limits of age and delays of availability", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const ttlUs = [0, 3e6, 6e6][seed % 3] ?? 0;
      const availableAfterUs = [0, 2e6][seed % 2] ?? 0;
      const onlyKnown = seed % 4 >= 2;
      await connection.run(`
        select setseed(${seed / 100});
        create or replace temp table source as select (random()*4)::int as k, ['a','b',null][1+(random()*2)::int] as g, make_timestamp((1e6*(random()*20)::int)::bigint) as ts,
          case when random() < 0.2 then null else make_timestamp((1e6*(random()*25)::int)::bigint) end as created, i as x, case when i % 5 = 0 then null else i * 1.5 end as y from range(60) r(i);
        create or replace temp table rows_in as select i as rid, case when random() < 0.1 then null else (random()*5)::int end as k, ['a','b',null][1+(random()*2)::int] as g, make_timestamp((1e6*(random()*25)::int)::bigint) as t from range(80) r(i)`);
      const joined = view({
        keys: [
          { spine: "k", source: "k" },
          { spine: "g", source: "g" },
        ],
        ttlUs,
        availableAfterUs,
        features: [
          { column: "x", name: "x" },
          { column: "y", name: "y" },
        ],
      });
      const found = await join("rows_in", "source", { joined, onlyKnown });
      const expected = await connection.rows(`
        with f as (select *, epoch_us(ts) + ${availableAfterUs} as e, row_number() over () as n from source),
        c as (select s.rid, f.*, row_number() over (partition by s.rid order by f.e desc, f.created desc nulls last, f.n desc) as r
          from rows_in s join f on s.k = f.k and s.g = f.g and f.e <= epoch_us(s.t) ${ttlUs === 0 ? "" : `and f.e >= epoch_us(s.t) - ${ttlUs}`} ${onlyKnown ? "and f.created <= s.t" : ""})
        select s.*, c.x, c.y from rows_in s left join c on c.rid = s.rid and c.r = 1 order by s.rid`);
      assert.deepEqual(found, expected, `seed ${seed}, ttl ${ttlUs}, after ${availableAfterUs}, known ${onlyKnown}`);
    }
  });

  it("does not change when rows from the future are added: nothing leaks", async () => {
    const before_ = await join(SPINE, SOURCE);
    const future = `(select * from ${SOURCE} union all by name select k, make_timestamp(epoch_us(t) + 1) as ts, t as created, 999 as x from ${SPINE} where t = (select max(t) from ${SPINE}))`;
    assert.deepEqual(await join(SPINE, future), before_);
  });

  it("shows an aggregate of a day only when the day is over", async () => {
    const day = "(select 1 as k, date '2026-01-01' as ts, 5 as x)";
    const joined = view({ created: null, ttlUs: 0, availableAfterUs: 24 * HOUR_US });
    const spine =
      "(select * from (values (1, timestamp '2026-01-01 23:59:59.999999'), (1, timestamp '2026-01-02 00:00')) s(k, t))";
    assert.deepEqual(
      (await join(spine, day, { joined })).map((row) => (row as { x: unknown }).x),
      [null, 5],
    );
  });

  it("joins nothing to an empty spine, and no source to any spine", async () => {
    assert.deepEqual(await join(`(select * from ${SPINE} where false)`, SOURCE), []);
    assert.equal((await join(SPINE, `(select * from ${SOURCE} where false)`)).length, 10);
  });
});
