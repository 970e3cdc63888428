import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";
import { createFeatures, type PushPorts } from "#features";
import { silentLog, systemClock } from "#base";
import { describeStores } from "../setup/stores.ts";
import { type FeatureBench, openFeatureBench } from "./feature-bench.ts";

const DEFINITIONS = `
entities: { driver: { keys: [driver_id] } }
views:
  stats: { source: stats, entities: [driver], timestamp: at, created: written, ttl: 2h, features: [trips, rating], push: live }
  plain: { source: plain, entities: [driver], timestamp: at, features: [x], push: live_x }
  quiet: { source: plain, entities: [driver], timestamp: at, features: [x] }
services: { rank: { features: [stats] } }
`;
const T0 = Date.parse("2026-01-01T12:00:00Z");
const PORTS: PushPorts = {
  takesRows: () => false,
  keepOffline: async () => assert.fail("no dataset takes rows"),
  treatedColumns: async () => new Set(),
};
const row = (driver: number, at: string, trips: number): string =>
  `select ${driver}::bigint as driver_id, timestamp '2026-01-01 ${at}' as at, timestamp '2026-01-01 ${at}' as written, ${trips}::int as trips, ${trips} / 2.0::double as rating`;
const plain = (driver: number, at: string, x: number): string =>
  `select ${driver}::bigint as driver_id, timestamp '2026-01-01 ${at}' as at, ${x}::int as x`;

async function push(bench: FeatureBench, body: object | string, ports = PORTS): Promise<readonly [number, string]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await bench.features.handlePush("push", text, ports);
  return [answer.status, answer.body];
}

async function refused(bench: FeatureBench, body: object | string, ports = PORTS): Promise<string> {
  const [status, text] = await push(bench, body, ports);
  const read: unknown = JSON.parse(text);
  return `${status} ${typeof read === "string" ? read : (read as { detail: string }).detail}`;
}

async function trips(bench: FeatureBench, atMs = T0): Promise<readonly unknown[] | undefined> {
  const { columns } = await bench.features.readOnline({
    features: [{ view: "stats", features: ["trips"] }],
    entities: { driver_id: [1, 2, 3] },
    atMs,
  });
  return columns[0]?.values.map((value, index) => value ?? columns[0]?.statuses[index]);
}

async function xs(bench: FeatureBench): Promise<readonly unknown[] | undefined> {
  const { columns } = await bench.features.readOnline({
    features: [{ view: "plain" }],
    entities: { driver_id: [1, 2] },
    atMs: T0,
  });
  return columns[0]?.values;
}

const frame = (
  driver: number,
  at: string,
  value: number,
): { readonly push_source_name: string; readonly df: object } => ({
  push_source_name: "live",
  df: {
    driver_id: [driver],
    at: [`2026-01-01 ${at}`],
    written: [`2026-01-01 ${at}`],
    trips: [value],
    rating: [value / 2],
  },
});

async function openPushed(kind: "sqlite" | "postgres", definitions = DEFINITIONS): Promise<FeatureBench> {
  const bench = await openFeatureBench(kind);
  await bench.define(definitions);
  await bench.make("stats", [row(1, "11:00", 1), row(2, "11:00", 2)].join(" union all "));
  await bench.make("plain", [plain(1, "11:00", 1), plain(2, "11:00", 2)].join(" union all "));
  await bench.features.catchUp();
  return bench;
}

describeStores("pushes to feature views", (kind) => {
  it("are served by every process on the store once they are answered, and an older one never overrides", async () => {
    const bench = await openPushed(kind);
    assert.deepEqual(await trips(bench), [1, 2, "NOT_FOUND"]);
    assert.deepEqual(await push(bench, frame(1, "11:30", 10)), [200, ""]);
    const other = createFeatures({ ...bench, clock: systemClock, log: silentLog, project: "p" });
    assert.deepEqual(await trips({ ...bench, features: other }), [10, 2, "NOT_FOUND"]);
    await push({ ...bench, features: other }, frame(3, "11:45", 30));
    await push(bench, frame(1, "11:10", 99));
    await push(bench, frame(2, "10:59", 99));
    assert.deepEqual(await trips(bench), [10, 2, 30]);
    // A push that is not known yet hides nothing, and one that is too old counts as none.
    assert.deepEqual(await trips(bench, Date.parse("2026-01-01T11:20:00Z")), [1, 2, "NOT_FOUND"]);
    assert.deepEqual(await trips(bench, Date.parse("2026-01-01T13:40:00Z")), [
      "OUTSIDE_MAX_AGE",
      "OUTSIDE_MAX_AGE",
      30,
    ]);
  });

  it("outlive a version of the source that is older, and go with one that has them or later rows", async () => {
    const bench = await openPushed(kind);
    await push(bench, frame(1, "11:30", 10));
    await push(bench, frame(2, "11:30", 20));
    await push(bench, frame(3, "11:30", 30));
    await bench.make(
      "stats",
      [row(1, "11:20", 11), row(2, "11:40", 22), row(3, "11:30", 33)].join(" union all "),
      "append",
    );
    const count = async (): Promise<unknown> =>
      (await bench.features.viewStatus()).find(({ view }) => view.name === "stats")?.pushes?.held;
    assert.equal(await count(), 3);
    await bench.features.catchUp();
    assert.deepEqual(await trips(bench), [10, 22, 33]);
    assert.equal(await count(), 1);
    // A rebuild under another definition keeps it, too.
    await bench.define(DEFINITIONS.replace("features: [trips, rating]", "features: [rating, trips]"));
    await bench.features.reload();
    await bench.features.catchUp();
    assert.deepEqual(await trips(bench), [10, 22, 33]);
    await bench.make("stats", row(1, "11:50", 12), "replace");
    await bench.features.catchUp();
    assert.deepEqual([await trips(bench), await count()], [[12, "NOT_FOUND", "NOT_FOUND"], 0]);
  });

  it("win over a row of the same time that was there before, until a version that was made after them", async () => {
    const bench = await openPushed(kind);
    const x = {
      push_source_name: "live_x",
      df: { driver_id: [1, 1], event_timestamp: Array(2).fill("2026-01-01T11:00:00Z"), x: [7, 8] },
    };
    await push(bench, x);
    assert.deepEqual(await xs(bench), [8, 2]);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await bench.make("plain", plain(1, "11:00", 9), "append");
    await bench.features.catchUp();
    assert.deepEqual(await xs(bench), [9, 2]);
  });

  it("of two writers keep the later row of each key, whichever comes last", async () => {
    const bench = await openPushed(kind);
    const many = (minute: number): object => ({
      push_source_name: "live_x",
      df: {
        driver_id: Array.from({ length: 300 }, (_, index) => (minute % 2 === 0 ? index : 299 - index)),
        at: Array.from({ length: 300 }, () => `2026-01-01T11:${minute}:00Z`),
        x: Array.from({ length: 300 }, () => minute),
      },
    });
    const minutes = [10, 31, 22, 45, 18, 44, 23, 12];
    assert.deepEqual(
      await Promise.all(minutes.map((minute) => push(bench, many(minute)))),
      minutes.map(() => [200, ""]),
    );
    const { columns } = await bench.features.readOnline({
      features: [{ view: "plain" }],
      entities: { driver_id: Array.from({ length: 300 }, (_, index) => index) },
      atMs: T0,
    });
    assert.deepEqual(new Set(columns[0]?.values), new Set([45]));
  });

  it("are refused with row, column and type, and then nothing of them is kept", async () => {
    const bench = await openPushed(kind);
    const df = { driver_id: [1, 3], at: ["2026-01-01 11:30", "2026-01-01 11:30"], trips: [5, 6], rating: [1, 2] };
    const live = (change: object): object => ({ push_source_name: "live", df: { ...df, ...change } });
    for (const [change, expected] of [
      [{ trips: [5, "x"] }, /^422 row 2, column "trips": it is the text "x"; expected INTEGER/],
      [{ trips: [5, 1.5] }, /row 2, column "trips": it is 1.5/],
      [{ trips: [5, true] }, /row 2, column "trips": it is true/],
      [{ trips: [5, 2 ** 31] }, /2147483648 does not fit/],
      [{ driver_id: [1, null] }, /row 2, join key "driver_id": it is null/],
      [{ driver_id: [1, "3"] }, /row 2, column "driver_id"/],
      [{ at: ["2026-01-01", "yesterday"] }, /row 2, event time "at": it is the text "yesterday"/],
      [{ at: ["2026-02-30", "2026-01-01"] }, /row 1, event time/],
      [{ at: ["2026-01-01", 1767268800] }, /row 2, event time "at": it is 1767268800/],
      [{ at: ["2026-01-01", "9999-01-01"] }, /lies ahead/],
      [{ trips: [5] }, /"driver_id" has 2 values, "trips" has 1/],
      [{ trips: undefined, trip: [1, 2] }, /there is no column "trips" \(but "trip"\)/],
      [{ at: undefined }, /there is no column "at"/],
    ] as const)
      assert.match(await refused(bench, live(change)), expected);
    assert.match(
      await refused(bench, { push_source_name: "life", df }),
      /404 .*PushSourceNotFoundException.*Did you mean/,
    );
    assert.match(await refused(bench, { push_source_name: "live", df, to: "both" }), /online_and_offline/);
    assert.match(
      await refused(bench, { push_source_name: "live", df, to: "offline" }),
      /no step takes rows for its dataset stats/,
    );
    assert.match(await refused(bench, { df }), /^400 .*push_source_name/);
    assert.match(await refused(bench, { push_source_name: "live", df: [df] }), /^400 /);
    assert.match(await refused(bench, "{"), /^400 .*no JSON/);
    assert.match(await refused(bench, "[".repeat(5000)), /^400 /);
    const treated = { ...PORTS, treatedColumns: async () => new Set(["rating"]) };
    assert.match(await refused(bench, live({}), treated), /contract of stats has rating treated/);
    const write = async (view: string): Promise<number> =>
      (await bench.features.handlePush("write-to-online-store", JSON.stringify({ feature_view_name: view, df }), PORTS))
        .status;
    assert.deepEqual([await write("quiet"), await write("no")], [422, 404]);
    assert.deepEqual(await trips(bench), [1, 2, "NOT_FOUND"]);
    assert.deepEqual(await push(bench, live({ driver_id: [], at: [], trips: [], rating: [] })), [200, ""]);
  });

  it("of one source over several datasets are kept for all of these and online, or not at all", async () => {
    const bench = await openPushed(kind, DEFINITIONS.replace("push: live_x", "push: live"));
    const kept: ReadonlyMap<string, string>[] = [];
    let isFull = true;
    const ports: PushPorts = {
      ...PORTS,
      takesRows: () => true,
      keepOffline: async (rows, alsoWrite) => {
        if (isFull) throw new Error("the second dataset takes no more");
        kept.push(rows);
        await bench.store.write(alsoWrite);
      },
    };
    const both = { ...frame(1, "11:30", 9), to: "online_and_offline" };
    const body = { ...both, df: { ...both.df, x: [7] } };
    assert.equal((await push(bench, body, ports))[0], 500);
    assert.deepEqual([(await trips(bench))?.[0], (await xs(bench))?.[0]], [1, 1]);
    isFull = false;
    assert.deepEqual(await push(bench, body, ports), [200, ""]);
    assert.deepEqual(
      kept.map((rows) => [...rows.keys()].toSorted()),
      [["plain", "stats"]],
    );
    assert.deepEqual([(await trips(bench))?.[0], (await xs(bench))?.[0]], [9, 7]);
  });

  it("wait for a first version, by which their types are checked", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    assert.match(await refused(bench, frame(1, "11:30", 10)), /^422 .*stats has no version/);
  });

  it("are bounded: beyond so many keys they are refused, and what is too old makes room", async () => {
    const bench = await openPushed(kind);
    const features = createFeatures({ ...bench, clock: systemClock, log: silentLog, project: "p", mostKeys: 2 });
    const small = { ...bench, features };
    const x = (driver: number): object => ({
      push_source_name: "live_x",
      df: { driver_id: [driver], at: ["2026-01-01 11:30"], x: [1] },
    });
    await push(small, x(1));
    await push(small, x(2));
    assert.match(await refused(small, x(3)), /^429 2 keys of "plain" have a pushed value/);
    // The rows of stats are hours older than its ttl.
    for (const driver of [1, 2, 3]) assert.equal((await push(small, frame(driver, "11:30", 1)))[0], 200);
  });

  it("give what a version with the same rows gives, in every type", async () => {
    const bench = await openFeatureBench(kind);
    const columns = {
      big: ["bigint", "9007199254740993", "9007199254740993"],
      tiny: ["utinyint", "255", "255"],
      single: ["float", "0.1", "0.1"],
      double: ["double", "1e-7", "1e-7"],
      exact: ["decimal(20,2)", "'12345678901234567.10'", '"12345678901234567.10"'],
      flag: ["boolean", "true", "true"],
      text: ["varchar", "'é\"\n😀NaN'", JSON.stringify('é"\n😀NaN')],
      day: ["date", "'2026-01-02'", '"2026-01-02T00:00:00"'],
      moment: ["timestamp", "'2026-01-02 03:04:05.120'", '"2026-01-02T04:04:05.12+01:00"'],
      zoned: ["timestamptz", "'2026-01-02 03:04:05Z'", '"2026-01-02T03:04:05"'],
      list: ["integer[]", "[1, null]", "[1,null]"],
      nothing: ["double", "null", "NaN"],
    } as const;
    const names = Object.keys(columns);
    await bench.define(
      `entities: { e: { keys: [k, d] } }\nviews: { v: { source: s, entities: [e], timestamp: at, features: [${names.join(", ")}], push: p } }\n`,
    );
    const values = Object.entries(columns).map(([name, [type, sql]]) => `${sql}::${type} as ${name}`);
    await bench.make(
      "s",
      `select 'a' as k, date '2026-01-01' as d, timestamp '2026-01-01 10:00' as at, ${values.join(", ")}`,
    );
    await bench.features.catchUp();
    const json = Object.entries(columns).map(([name, [, , text]]) => `${JSON.stringify(name)}:[${text}]`);
    const body = `{"push_source_name":"p","df":{"k":["b"],"d":["2026-01-01"],"at":["2026-01-01T10:00:00"],${json.join(",")}}}`;
    assert.deepEqual(await push(bench, body), [200, ""]);
    const read = await bench.features.readOnline({
      features: [{ view: "v" }],
      entities: { k: ["a", "b"], d: ["2026-01-01", "2026-01-01"] },
      atMs: T0,
    });
    for (const { name, values: found, statuses } of read.columns) {
      assert.deepEqual(found[1], found[0], name);
      assert.equal(statuses[1], name === "nothing" ? "NULL_VALUE" : "PRESENT");
    }
  });

  it("are not lost where a version comes online beside them", async () => {
    const bench = await openPushed(kind);
    const minutes = Array.from({ length: 40 }, (_, index) => index + 1);
    const at = (minute: number): string => `2026-01-01T11:${String(minute).padStart(2, "0")}:00Z`;
    const pushAll = async (): Promise<void> => {
      for (const minute of minutes)
        await push(bench, {
          push_source_name: "live_x",
          df: { driver_id: [1, 2], at: [at(minute), at(minute)], x: [minute, minute] },
        });
    };
    const makeVersions = async (): Promise<void> => {
      for (const minute of [5, 12, 21, 33]) {
        await bench.make("plain", plain(1, `11:${String(minute).padStart(2, "0")}`, minute), "append");
        await bench.features.catchUp();
      }
    };
    await Promise.all([pushAll(), makeVersions()]);
    assert.deepEqual(await xs(bench), [40, 40]);
  });

  it("are no skew: what was read of them is compared with the version that has them, and not before", async () => {
    const bench = await openPushed(kind);
    await push(bench, frame(1, "11:30", 10));
    const answeredMs = Date.now();
    const recomputed = async (): Promise<unknown> => {
      const rows = [1, 2].map((driver) => ({ record: { driver_id: driver }, atMs: T0, answeredMs }));
      const found = await bench.features.recompute({ service: "rank", features: ["trips"], rows });
      return found.get("trips")?.rows;
    };
    assert.deepEqual(await recomputed(), ["a row was pushed for the join keys that no version has", [2]]);
    await bench.make("stats", row(1, "11:30", 10), "append");
    await bench.features.catchUp();
    const [pushed] = z.array(z.array(z.number())).parse(await recomputed());
    assert.ok(pushed?.includes(10), String(pushed));
    assert.deepEqual(await trips(bench), [10, 2, "NOT_FOUND"]);
  });

  it("and materialization on demand: the newest versions are online when it is answered, or soon where nobody waits", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    await bench.make("stats", row(1, "11:00", 1));
    const ask = async (
      route: "materialize" | "materialize-incremental",
      body: object,
      isAsync = false,
      isForced = false,
    ) => {
      const answer = await bench.features.handleMaterialize(route, { body: JSON.stringify(body), isAsync, isForced });
      return [answer.status, answer.body];
    };
    const both = { start_ts: "2026-01-01", end_ts: "2026-01-02T00:00:00+00:00", feature_views: null };
    assert.deepEqual(await ask("materialize", both), [200, "null"]);
    assert.deepEqual(await trips(bench), [1, "NOT_FOUND", "NOT_FOUND"]);
    await bench.make("stats", row(2, "11:00", 2), "append");
    const one = { end_ts: "2026-01-02", feature_views: ["stats"] };
    const [first, second, third] = await Promise.all([
      ask("materialize-incremental", one, true),
      ask("materialize-incremental", one, true),
      ask("materialize-incremental", one, true, true),
    ]);
    assert.deepEqual(first, [202, '{"status":"accepted","feature_views":["stats"]}']);
    assert.deepEqual([second?.[0], third?.[0]], [409, 202]);
    assert.deepEqual(await ask("materialize-incremental", one), [200, "null"]);
    assert.deepEqual(await trips(bench), [1, 2, "NOT_FOUND"]);
    for (const [body, status] of [
      [{ ...both, feature_views: ["no"] }, 404],
      [{ ...both, start_ts: undefined }, 400],
      [{ ...both, end_ts: "soon" }, 400],
      [{ ...both, start_ts: "2027-01-01" }, 400],
      [{ ...both, version: "v2" }, 400],
      [[], 400],
    ] as const)
      assert.equal((await ask("materialize", body))[0], status, JSON.stringify(body));
  });
});
