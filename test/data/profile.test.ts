import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { newId, silentLog, systemClock } from "#base";
import {
  type Analytics,
  type ColumnProfile,
  createAnalytics,
  createDatasets,
  type DatasetContent,
  type DatasetWrite,
  type Profile,
  readProfile,
} from "#data";
import { type AssetVersion, recordAssetVersion } from "#metadata-store";
import type { MadeVersion } from "#pipeline";
import { openTestStore } from "../setup/stores.ts";

interface Opened {
  readonly analytics: Analytics;
  readonly write: (select: string, more?: Partial<DatasetWrite>) => Promise<MadeVersion>;
  readonly profile: (made: MadeVersion) => Promise<Profile>;
  readonly profileOf: (select: string) => Promise<ReadonlyMap<string, ColumnProfile>>;
  /** Exact figures of the same rows, by plain SQL. */
  readonly exact: ((sql: string) => Promise<Readonly<Record<string, unknown>>>) & {
    /** SELECT of the rows of the latest version. */
    readonly relation: () => Promise<string>;
  };
  readonly compact: () => Promise<unknown>;
  /** What the next profile will build on. */
  readonly stateOf: () => Promise<Buffer>;
}

async function open(): Promise<Opened> {
  const { store, objects, folder } = await openTestStore("sqlite");
  const analytics = createAnalytics({ folder: join(folder, "spill"), threads: 2 });
  after(() => analytics.close());
  const datasets = createDatasets({
    store,
    objects,
    files: createFileSystemFiles({ root: join(folder, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const connection = await analytics.connect();
  after(() => connection.close());
  let latest: AssetVersion | undefined;
  const write: Opened["write"] = async (select, more = {}) => {
    const full = {
      project: "p",
      asset: "d",
      operationId: newId(),
      disposition: "replace" as const,
      select,
      connection,
      ...more,
    };
    const made = await datasets.write(full);
    const { version } = await store.write(async (transaction) => {
      await datasets.settle(transaction, full);
      return recordAssetVersion(transaction, { project: "p", madeAtMs: 1, actor: "a", inputs: [], ...made });
    });
    if (full.asset === "d") latest = version;
    return made;
  };
  const profile: Opened["profile"] = async (made) => {
    const found = await readProfile(objects, made.content as unknown as DatasetContent);
    assert.ok(found);
    return found;
  };
  return {
    analytics,
    write,
    profile,
    profileOf: async (select) =>
      new Map((await profile(await write(select))).columns.map((column) => [column.name, column])),
    exact: Object.assign(
      async (sql: string) =>
        (
          await connection.rows(
            sql.replace("$d", `(select * from read_parquet('${join(folder, "datasets", "d")}/*.parquet'))`),
          )
        )[0] ?? {},
      { relation: async () => `select * from ${latest === undefined ? "nothing" : await datasets.relation(latest)}` },
    ),
    compact: () => datasets.compact({ project: "p", asset: "d" }),
    stateOf: () => readFile(join(folder, "datasets", "d", "_esteira", "profile-state")),
  };
}

function close(found: number | undefined, expected: unknown, tolerance = 1e-12): void {
  assert.ok(
    found !== undefined && Math.abs(found - Number(expected)) <= tolerance * Math.max(1, Math.abs(Number(expected))),
    `${found} is not ${String(expected)}`,
  );
}

describe("profile", () => {
  it("says the truth of a large table in order of time: exact figures of all rows, errors beside the others", async () => {
    const { write, profile, exact } = await open();
    const made =
      await write(`select timestamptz '2001-01-01' + to_seconds(i * 47) as at, date '2001-01-01' + (i // 1800)::int as day, (i // 1800) % 7 as weekday, case when i % 97 <> 0 then (hash(i) % 856)::bigint - 100 end as delay,
      (hash(i, 1) % 1000000)::bigint / 997.0::double as share, 'origin ' || hash(i, 2) % 229 as origin, uuid()::varchar as id from range(300000) t(i) order by i`);
    const { rowCount, columns } = await profile(made);
    assert.equal(rowCount, 300_000);
    const of = new Map(columns.map((column) => [column.name, column]));
    for (const name of ["weekday", "delay", "share"]) {
      const truth = await exact(
        `select count(*) - count(${name}) as nulls, min(${name}) as low, max(${name}) as high, avg(${name}) as mean, stddev_samp(${name}) as deviation, count(distinct ${name}) as n from $d`,
      );
      const column = of.get(name);
      assert.deepEqual(
        [column?.nullCount, column?.min, column?.max],
        [truth["nulls"], truth["low"], truth["high"]],
        name,
      );
      close(column?.mean, truth["mean"]);
      close(column?.standardDeviation, truth["deviation"], 1e-9);
      if (column?.distinct.error === 0) assert.equal(column.distinct.count, truth["n"]);
      else
        assert.ok(
          Math.abs((column?.distinct.count ?? 0) / Number(truth["n"]) - 1) < 1.5 * (column?.distinct.error ?? 0),
          name,
        );
    }
    assert.deepEqual(
      of.get("weekday")?.values?.map(({ count }) => count),
      Object.values(
        await exact(
          `select ${[0, 1, 2, 3, 4, 5, 6].map((day) => `count(*) filter (weekday = ${day})`).join(", ")} from $d`,
        ),
      ),
    );
    assert.equal(of.get("weekday")?.histogram, undefined);
    assert.deepEqual(of.get("delay")?.distinct, { count: 856, error: 0 });
    assert.deepEqual(of.get("origin")?.distinct, { count: 229, error: 0 });
    assert.deepEqual(of.get("origin")?.lengths, {
      min: 8,
      max: 10,
      mean: (await exact("select avg(length(origin)) as mean from $d"))["mean"],
    });
    const id = of.get("id");
    assert.ok(
      (id?.distinct.error ?? 0) > 0 &&
        Math.abs((id?.distinct.count ?? 0) / 300_000 - 1) < 1.5 * (id?.distinct.error ?? 0),
      JSON.stringify(id?.distinct),
    );
    for (const name of ["delay", "share", "at"]) {
      const { histogram } = of.get(name) as ColumnProfile;
      const value = name === "at" ? 'epoch_us("at")::double / 1000' : name;
      const counts = Object.values(
        await exact(
          `select ${histogram?.counts.map((_, bin) => `count(*) filter (${value} >= '${histogram.edges[bin]}'::double and ${value} ${bin === histogram.counts.length - 1 ? "<=" : "<"} '${histogram.edges[bin + 1]}'::double) as c${bin}`).join(", ")} from $d`,
        ),
      );
      assert.deepEqual(histogram?.counts, counts, name);
      assert.equal(
        histogram?.counts.reduce((sum, count) => sum + count),
        300_000 - (of.get(name)?.nullCount ?? 0),
      );
    }
    assert.deepEqual(
      [of.get("at")?.min, of.get("at")?.max, of.get("day")?.min],
      [
        "2001-01-01T00:00:00Z",
        new Date(Date.UTC(2001, 0, 1) + 299_999 * 47_000).toISOString().replace(".000Z", "Z"),
        "2001-01-01",
      ],
    );
    assert.equal(of.get("at")?.histogram?.edges[0], Date.UTC(2001, 0, 1));
    const sampled = of.get("share");
    const shareError = sampled?.sample?.shareError ?? 0;
    assert.ok(sampled?.sample?.kind === "rows" && sampled.sample.rows >= 16_384 && shareError > 0 && shareError < 0.02);
    for (const [quantile, value] of Object.entries(sampled?.quantiles ?? {})) {
      const rank = Number((await exact(`select avg((share <= '${value}'::double)::int) as rank from $d`))["rank"]);
      assert.ok(Math.abs(rank - Number(quantile)) < 1.5 * shareError, `${quantile}: ${rank}`);
    }
    assert.equal(of.get("delay")?.sample, undefined);
    const quantiles = (
      await exact("select quantile_cont(delay, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]) as q from $d")
    )["q"];
    assert.deepEqual(Object.values(of.get("delay")?.quantiles ?? {}), quantiles);
  });

  it("says of a profile that an older release made that its figures come from blocks, and leaves out bins that held nulls", async () => {
    const { objects } = await openTestStore("sqlite");
    const column = {
      name: "x",
      type: "BIGINT",
      nullCount: 0,
      distinctInSample: 1416,
      min: 1,
      max: 9,
      mean: 5,
      top: [],
      histogram: { edges: [1, 9], counts: [16_384] },
    };
    const { digest } = await objects.put(
      JSON.stringify({
        format: "profile/1",
        rowCount: 2_999_983,
        sampleRows: 16_384,
        columns: [column, { ...column, name: "y", nullCount: 3 }],
      }),
    );
    const read = await readProfile(objects, { profile: digest });
    assert.deepEqual(
      read?.columns.map(({ distinct, sample, histogram }) => [distinct, sample, histogram?.counts]),
      [
        [{ count: 1416 }, { kind: "blocks", rows: 16_384 }, [16_384]],
        [{ count: 1416 }, { kind: "blocks", rows: 16_384 }, undefined],
      ],
    );
  });

  it("says of appended rows that they are of all files", async () => {
    const { write, profile } = await open();
    await write("select 1 as id, 'a' as name", { disposition: "append" });
    const { rowCount, columns } = await profile(
      await write("select 3 as id, 'ção' as name, 2.5 as more", { disposition: "append" }),
    );
    assert.equal(rowCount, 2);
    assert.deepEqual(
      columns.map(({ name, nullCount, mean, distinct }) => [name, nullCount, mean, distinct.count]),
      [
        ["id", 0, 2, 2],
        ["name", 0, undefined, 2],
        ["more", 1, 2.5, 1],
      ],
    );
  });

  it("says of many appends, corrections, restores and compactions what reading all rows would say", async () => {
    const { write, profile, exact, compact, stateOf } = await open();
    const rows = (from: number, more = ""): string =>
      `select i as id, 9007199254740993 + i as big, case when i % 11 = 0 then null when i % 13 = 0 then 'nan'::double when i % 17 = 0 then 'inf'::double else sin(i) * 1000 end as x,
      i % 7 as few, case when i % 5 = 0 then null else 'it''s "' || hash(i) % 100000 || '"' end as t, ((hash(i, 3) % 1000000)::bigint / 100)::decimal(18, 2) as price, date '2020-01-01' + (i // 100)::int as day,
      timestamptz '2001-01-01 00:00:00Z' + to_seconds(i * 61) as "at", null::double as nothing, i % 3 = 0 as flag, (i % 9)::float / 10 as f${more} from range(${from}, ${from + 1500}) r(i)`;
    const append = (from: number, more?: string): Promise<MadeVersion> =>
      write(rows(from, more), { disposition: "append", source: `sha256:${String(from).padEnd(64, "a")}` });
    const versions = [];
    for (let batch = 0; batch < 5; batch++) versions.push(await append(batch * 1500));
    assert.ok(await stateOf());
    await sameAsAll(versions.at(-1));
    await compact();
    versions.push(await append(7500, ", i * 2 as later"));
    await sameAsAll(versions.at(-1));
    // A corrected file: rows go, so all are read; the next append builds on that.
    versions.push(
      await write(rows(20_000, ", i * 2 as later"), {
        disposition: "append",
        supersedes: [{ digest: `sha256:${"1500".padEnd(64, "a")}`, path: "a.csv", rows: 1500 }],
      }),
    );
    await sameAsAll(versions.at(-1));
    await sameAsAll(await append(30_000, ", i * 2 as later"));
    assert.equal((await profile(await append(31_500))).rowCount, 7 * 1500 + 1500);

    async function sameAsAll(made: MadeVersion | undefined): Promise<void> {
      assert.ok(made);
      const grown = await profile(made);
      // The same rows as a dataset that is written once.
      const all = await profile(await write(await exact.relation(), { asset: "all" }));
      assert.equal(grown.rowCount, all.rowCount);
      for (const [place, column] of grown.columns.entries()) {
        const whole = all.columns[place];
        assert.ok(whole);
        for (const name of [
          "name",
          "type",
          "nullCount",
          "nanCount",
          "positiveInfinityCount",
          "min",
          "max",
          "lengths",
        ] as const)
          assert.deepEqual(column[name], whole[name], `${column.name} ${name}`);
        assert.deepEqual(column.histogram, whole.histogram, column.name);
        assert.deepEqual(column.values, whole.values, column.name);
        if (whole.mean !== undefined) close(column.mean, whole.mean, 1e-9);
        if (whole.standardDeviation !== undefined) close(column.standardDeviation, whole.standardDeviation, 1e-9);
        const { count, error = 1 } = column.distinct;
        assert.ok(Math.abs(count - whole.distinct.count) <= error * whole.distinct.count, `${column.name}: ${count}`);
        if (column.sample === undefined) assert.deepEqual([column.quantiles, column.top], [whole.quantiles, whole.top]);
        else await assertRanks(column);
      }
    }

    async function assertRanks({ name, quantiles = {}, sample }: ColumnProfile): Promise<void> {
      const value = name === "at" || name === "day" ? `epoch_us("${name}")::double / 1000` : `"${name}"`;
      for (const [quantile, at] of Object.entries(quantiles)) {
        const truth = await exact(
          `select avg((${value} <= '${at}'::double)::int) as rank from (${await exact.relation()}) where isfinite(${value}::double)`,
        );
        assert.ok(
          Math.abs(Number(truth["rank"]) - Number(quantile)) < 1.5 * (sample?.shareError ?? 0),
          `${name} ${quantile}`,
        );
      }
    }
  });

  it("profiles every column of a wide table", async () => {
    const { profileOf } = await open();
    const columns = await profileOf(
      `select ${Array.from({ length: 333 }, (_, index) => `i * ${index} as c${index}`).join(", ")} from range(50) t(i)`,
    );
    assert.equal(columns.size, 333);
    assert.deepEqual([columns.get("c332")?.max, columns.get("c332")?.histogram?.counts.length], [49 * 332, 32]);
  });

  it("counts whole numbers and days that come in no order, near each other or not", async () => {
    const { profileOf } = await open();
    const columns = await profileOf(
      `select case when i % 10 = 9 then null else (i * 7) % 31 - 15 end as near, (i * 7) % 31 + 0.5::double as halves,
         (i * 7919) % 1000003 as far, date '1969-12-01' + ((i * 7) % 62)::integer as day from range(620) t(i)`,
    );
    const [near, halves, far, day] = ["near", "halves", "far", "day"].map((name) => columns.get(name));
    assert.deepEqual([near?.min, near?.max, near?.nullCount, near?.distinct.count], [-15, 15, 62, 31]);
    assert.equal(
      near?.histogram?.counts.reduce((sum, count) => sum + count, 0),
      558,
    );
    assert.deepEqual([halves?.min, halves?.max, halves?.mean, halves?.distinct.count], [0.5, 30.5, 15.5, 31]);
    assert.deepEqual(halves?.top[0], { value: "0.5", count: 20 });
    assert.deepEqual(far?.distinct, { count: 620, error: 0 });
    assert.deepEqual([day?.min, day?.max, day?.distinct.count], ["1969-12-01", "1970-01-31", 62]);
    assert.equal(day?.quantiles?.["0.5"], Date.UTC(1969, 11, 31, 12));
    assert.equal(day?.top[0]?.count, 10);
  });

  it("counts NaN and infinities on their own, and puts neither them nor nulls into a bin", async () => {
    const { profileOf } = await open();
    const x = (
      await profileOf(
        "select case when i < 100 then i::double when i < 110 then null when i < 113 then 'nan'::double when i < 115 then 'inf'::double else '-inf'::double end as x from range(116) t(i)",
      )
    ).get("x");
    assert.deepEqual(
      [x?.nullCount, x?.nanCount, x?.positiveInfinityCount, x?.negativeInfinityCount, x?.min, x?.max, x?.mean],
      [10, 3, 2, 1, 0, 99, 49.5],
    );
    assert.deepEqual(
      x?.histogram?.counts,
      Array.from({ length: 25 }, () => 4),
    );
    assert.deepEqual(x?.distinct, { count: 102, error: 0 });
  });

  it("holds for nothing, one row, constants, nulls only and zero of both signs", async () => {
    const { profileOf } = await open();
    const none = (await profileOf("select 1 as x, 'a' as t where false")).get("x");
    assert.deepEqual(
      [none?.nullCount, none?.distinct, none?.top, none?.min],
      [0, { count: 0, error: 0 }, [], undefined],
    );
    const one = (await profileOf("select 7 as x")).get("x");
    assert.deepEqual(
      [one?.min, one?.max, one?.mean, one?.standardDeviation, one?.quantiles?.["0.5"], one?.values, one?.histogram],
      [7, 7, 7, undefined, 7, [{ value: "7", count: 1 }], undefined],
    );
    const constant = (await profileOf("select 0.1::double as x from range(1000)")).get("x");
    assert.deepEqual(
      [constant?.mean, constant?.standardDeviation, constant?.values],
      [0.1, 0, [{ value: "0.1", count: 1000 }]],
    );
    const nulls = await profileOf(
      "select null::double as x, null::varchar as t, null::timestamptz as at from range(5)",
    );
    for (const column of nulls.values())
      assert.deepEqual(
        [column.nullCount, column.distinct, column.min, column.mean, column.histogram, column.quantiles, column.top],
        [5, { count: 0, error: 0 }, undefined, undefined, undefined, undefined, []],
      );
    const zero = (await profileOf("select unnest(['-0.0'::double, 0.0, 1.0]) as x")).get("x");
    assert.deepEqual(
      [zero?.distinct.count, zero?.values?.map(({ count }) => count), Number(zero?.min) === 0],
      [2, [2, 1], true],
    );
  });

  it("keeps whole numbers beyond 2^53, decimals of many digits and sums of huge numbers apart", async () => {
    const { profileOf } = await open();
    const of = await profileOf(
      "select 9007199254740993 + i as big, (9007199254740993 + i)::decimal(20, 0) as wide, 1e308 * (1 - i % 2 * 0.5) as huge, 1e-200 * i as tiny, (case when i % 2 = 0 then 1.7e308 else -1.7e308 end) as apart, 1.50::decimal(9, 2) as price from range(100) t(i)",
    );
    const [big, wide, huge, tiny, apart] = ["big", "wide", "huge", "tiny", "apart"].map((name) => of.get(name));
    assert.deepEqual(
      [big?.min, big?.max, big?.distinct.count, big?.top[0]?.value],
      ["9007199254740993", "9007199254741092", 100, "9007199254740993"],
    );
    assert.deepEqual([wide?.min, wide?.max, wide?.distinct.count], ["9007199254740993", "9007199254741092", 100]);
    // Deviation of 0 … 99: sqrt(n (n + 1) / 12) with n = 100.
    close(big?.standardDeviation, Math.sqrt((100 * 101) / 12));
    close(tiny?.standardDeviation, 1e-200 * Math.sqrt((100 * 101) / 12));
    close((huge?.mean ?? 0) / 1e308, 0.75);
    close((huge?.standardDeviation ?? 0) / 1e308, 0.25 * Math.sqrt(100 / 99));
    assert.equal(apart?.mean, 0);
    assert.deepEqual([apart?.quantiles?.["0.05"], apart?.quantiles?.["0.5"]], [-1.7e308, 0]);
    assert.deepEqual(
      [of.get("price")?.min, of.get("price")?.mean, of.get("price")?.top],
      ["1.50", 1.5, [{ value: "1.50", count: 100 }]],
    );
  });

  it("looks at booleans, dates, texts, bytes and nested values in their own way", async () => {
    const { profileOf } = await open();
    const of = await profileOf(
      "select i % 3 = 0 as flag, date '2020-02-28' + i::int as day, timestamptz '1969-12-31 23:59:59.5Z' as before, case i when 0 then '' when 1 then 'ção 😀' else 'it''s \"so\"' end as t, 'ab'::blob as b, [i, 2] as list, {'a': i, 'b': 'x'} as nested from range(3) t(i)",
    );
    assert.deepEqual(of.get("flag")?.values, [
      { value: "false", count: 2 },
      { value: "true", count: 1 },
    ]);
    assert.deepEqual([of.get("flag")?.mean, of.get("flag")?.histogram], [undefined, undefined]);
    assert.deepEqual(
      [of.get("day")?.min, of.get("day")?.max, of.get("day")?.quantiles?.["0.5"], of.get("day")?.values?.[1]?.value],
      ["2020-02-28", "2020-03-01", Date.UTC(2020, 1, 29), "2020-02-29"],
    );
    assert.equal(of.get("before")?.min, "1969-12-31T23:59:59.5Z");
    assert.deepEqual(
      [of.get("t")?.lengths, new Set(of.get("t")?.top.map(({ value }) => value))],
      [{ min: 0, max: 9, mean: 14 / 3 }, new Set(["", "ção 😀", 'it\'s "so"'])],
    );
    assert.deepEqual(
      [
        of.get("b")?.lengths?.max,
        of.get("list")?.lengths?.mean,
        of.get("list")?.distinct.count,
        of.get("nested")?.distinct.count,
      ],
      [2, 2, 3, 3],
    );
  });
});
