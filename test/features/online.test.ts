import assert from "node:assert/strict";
import { it } from "node:test";
import { describeStores } from "../setup/stores.ts";
import { openFeatureBench } from "./feature-bench.ts";

const DEFINITIONS = `
entities: { driver: { keys: [driver_id] } }
views:
  stats:
    source: stats
    entities: [driver]
    timestamp: at
    created: written
    ttl: 2h
    features: [trips, rating, big]
services: { rank: { features: ["stats:rating", "stats:trips"] } }
`;
const T0 = Date.parse("2026-01-01T12:00:00Z");
const row = (driver: number, at: string, trips: string, written = at): string =>
  `select ${driver}::bigint as driver_id, timestamp '2026-01-01 ${at}' as at, timestamp '2026-01-01 ${written}' as written, ${trips}::int as trips, ${trips} / 2.0::double as rating, 9007199254740993::bigint as big`;

describeStores("the online store", (kind) => {
  it("answers like Feast's feature server: columns, statuses, event times, exact whole numbers", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    await bench.make(
      "stats",
      [row(1, "11:00", "7"), row(2, "09:30", "8"), row(3, "11:59:59.5", "null")].join(" union all "),
    );
    assert.deepEqual(
      (await bench.features.catchUp()).map(({ view, rows, kind: how }) => [view, rows, how]),
      [["stats", 3, "rebuilt"]],
    );
    const read = await bench.features.readOnline({
      features: [{ view: "stats", features: ["trips", "big"] }],
      entities: { driver_id: [1, 2, 3, 4, null] },
      atMs: T0,
    });
    assert.deepEqual(
      read.columns.map(({ name, values, statuses }) => [name, values, statuses]),
      [
        ["trips", [7, null, null, null, null], ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND", "NOT_FOUND"]],
        [
          "big",
          [9007199254740993n, null, 9007199254740993n, null, null],
          ["PRESENT", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND", "NOT_FOUND"],
        ],
      ],
    );
    const answer = await bench.features.handleGetOnlineFeatures(
      '{"features":["stats:big"],"entities":{"driver_id":[3,"4"],"unused":[1,2]},"full_feature_names":true}',
    );
    assert.equal(answer.status, 200);
    // Asked now, years later: the value is older than two hours.
    assert.equal(
      answer.body,
      '{"metadata":{"feature_names":["driver_id","stats__big"]},"results":[{"values":[3,"4"],"statuses":["PRESENT","PRESENT"],"event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},' +
        '{"values":[null,null],"statuses":["OUTSIDE_MAX_AGE","NOT_FOUND"],"event_timestamps":["2026-01-01T11:59:59.500Z","1970-01-01T00:00:00Z"]}]}',
    );
    const service = await bench.features.read({
      project: "p",
      service: "rank",
      rows: [{ driver_id: 1, other: "x" }, { driver_id: 9 }],
      atMs: [T0, T0],
    });
    assert.deepEqual(
      [...service],
      [
        ["rating", { values: [3.5, null], statuses: ["PRESENT", "NOT_FOUND"] }],
        ["trips", { values: [7, null], statuses: ["PRESENT", "NOT_FOUND"] }],
      ],
    );
  });

  it("has no value where a number is none, and leaves texts alone", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(
      "entities: { e: { keys: [k] } }\nviews: { v: { source: s, entities: [e], timestamp: at, features: [x, y, t] } }\n",
    );
    await bench.make(
      "s",
      `select 1 as k, timestamp '2026-01-01 11:00' as at, 'nan'::double as x, '-inf'::float as y, 'a "NaN", -Infinity' as t`,
    );
    await bench.features.catchUp();
    const { columns } = await bench.features.readOnline({ features: [{ view: "v" }], entities: { k: [1] }, atMs: T0 });
    assert.deepEqual(
      columns.map(({ values, statuses }) => [values[0], statuses[0]]),
      [
        [null, "NULL_VALUE"],
        [null, "NULL_VALUE"],
        ['a "NaN", -Infinity', "PRESENT"],
      ],
    );
  });

  it("answers errors as Feast's client reads them", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    const missing = await bench.features.handleGetOnlineFeatures(
      '{"features":["stat:trips"],"entities":{"driver_id":[1]}}',
    );
    assert.equal(missing.status, 404);
    assert.deepEqual(JSON.parse(JSON.parse(missing.body) as string), {
      module: "feast.errors",
      class: "FeatureViewNotFoundException",
      message: 'There is no feature view "stat". Did you mean "stats"?',
    });
    const uneven = await bench.features.handleGetOnlineFeatures(
      '{"features":["stats:trips"],"entities":{"driver_id":[1],"b":[1,2]}}',
    );
    assert.deepEqual(
      [uneven.status, /^\{"detail":".*\\"driver_id\\" has 1 values, \\"b\\" has 2/.test(uneven.body)],
      [400, true],
    );
    assert.equal((await bench.features.handleGetOnlineFeatures("{")).status, 400);
  });

  it("says how far each view is online: not before its source, nor with another definition", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    const status = async (): Promise<unknown> =>
      (await bench.features.viewStatus())
        .filter(({ view }) => view.name === "stats")
        .map(({ source, online, isCurrent }) => [source?.version, online?.sourceVersion, isCurrent]);
    assert.deepEqual(await status(), [[undefined, undefined, false]]);
    await bench.make("stats", row(1, "11:00", "1"));
    assert.deepEqual(await status(), [[1, undefined, false]]);
    await bench.features.catchUp();
    assert.deepEqual(await status(), [[1, 1, true]]);
    await bench.make("stats", row(2, "11:00", "2"), "append");
    assert.deepEqual(await status(), [[2, 1, false]]);
    await bench.features.catchUp();
    assert.deepEqual(await status(), [[2, 2, true]]);
    await bench.define(DEFINITIONS.replace("features: [trips, rating, big]", "features: [trips, rating]"));
    await bench.features.reload();
    assert.deepEqual(await status(), [[2, undefined, false]]);
  });

  it("holds the same after increments as after a full rebuild, late and replaced rows included", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    const entities = { driver_id: [1, 2, 3, 4] };
    const read = async (): Promise<unknown> =>
      (await bench.features.readOnline({ features: "rank", entities, atMs: T0 })).columns;
    await bench.make("stats", [row(1, "11:00", "1"), row(2, "11:00", "2")].join(" union all "));
    await bench.features.catchUp();
    await bench.make(
      "stats",
      [row(1, "10:30", "90"), row(2, "11:00", "91", "11:30"), row(3, "11:10", "3")].join(" union all "),
      "append",
    );
    assert.deepEqual(
      (await bench.features.catchUp()).map(({ kind: how, rows }) => [how, rows]),
      [["added", 3]],
    );
    const grown = (
      await bench.features.readOnline({
        features: ["trips"].map((feature) => ({ view: "stats", features: [feature] })),
        entities,
        atMs: T0,
      })
    ).columns[0];
    assert.deepEqual(grown?.values, [1, 91, 3, null]);
    const incremental = await read();
    await bench.define(DEFINITIONS.replace("features: [trips, rating, big]", "features: [trips, rating]"));
    await bench.features.reload();
    assert.deepEqual(
      (await bench.features.catchUp()).map(({ kind: how }) => how),
      ["rebuilt"],
    );
    assert.deepEqual(await read(), incremental);
    await bench.make("stats", row(4, "11:40", "4"), "replace");
    await bench.features.catchUp();
    assert.deepEqual(
      (await bench.features.readOnline({ features: [{ view: "stats", features: ["trips"] }], entities, atMs: T0 }))
        .columns[0]?.values,
      [null, null, null, 4],
    );
    assert.deepEqual(await bench.features.catchUp(), []);
  });

  it("gives online what the point-in-time join gives for the same instant", async () => {
    const bench = await openFeatureBench(kind);
    await bench.define(DEFINITIONS);
    const stats = await bench.make(
      "stats",
      `select (i % 40)::bigint as driver_id, timestamp '2026-01-01 08:00' + interval (i * 7 % 240) minute as at, timestamp '2026-01-01 12:00' + interval (i) second as written, case when i % 11 = 0 then null else i end::int as trips, i / 3.0::double as rating, i::bigint as big from range(400) r(i)`,
    );
    await bench.features.catchUp();
    const spine = await bench.make(
      "asked",
      "select i::bigint as driver_id, timestamp '2026-01-01 12:00' as at_time from range(45) r(i)",
    );
    const { rows } = await bench.join({ spine: "asked", features: [{ view: "stats" }], timestamp: "at_time" }, [
      spine,
      stats,
    ]);
    const online = await bench.features.readOnline({
      features: [{ view: "stats" }],
      entities: { driver_id: rows.map((one) => one["driver_id"]) },
      atMs: T0,
    });
    for (const column of online.columns)
      assert.deepEqual(
        column.values,
        rows.map((one) => one[column.name]),
        column.name,
      );
  });
});
