import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AssetKind } from "#metadata-store";
import { isEsteiraError } from "#base";
import { describeStores, storeKinds } from "../setup/stores.ts";
import { type FeatureBench, openFeatureBench } from "./feature-bench.ts";

const DEFINITIONS = `
entities:
  airport: { keys: [airport] }
views:
  airport_day:
    source: airport_day
    entities: [airport]
    timestamp: day
    available_after: 1d
    ttl: 3d
    features: [flights, late_share]
services:
  delay:
    full_names: true
    features: [{ view: airport_day, as: origin_day, keys: { airport: origin } }, { view: airport_day, as: destination_day, keys: { airport: destination }, features: [flights] }]
`;
const SPINE = `select i as id, timestamp '2026-01-02 12:00' + interval (i) hour as date, 'A' as origin, case when i % 2 = 0 then 'B' end as destination, i % 3 = 0 as late from range(48) r(i)`;
const DAYS = `select airport, date '2026-01-01' + d::int as day, (10 * d + ascii(airport))::bigint as flights, d / 10 as late_share from (values ('A'), ('B')) a(airport), range(4) r(d)`;

async function bench(kind = storeKinds[0] ?? "sqlite"): Promise<FeatureBench> {
  const opened = await openFeatureBench(kind);
  await opened.define(DEFINITIONS);
  return opened;
}

describeStores("a join step", (kind) => {
  it("makes a versioned training set: the spine, the features, and a split by time", async () => {
    const opened = await bench(kind);
    const inputs = [await opened.make("flights", SPINE), await opened.make("airport_day", DAYS)];
    const { rows, outcome, version } = await opened.join(
      { spine: "flights", label: "late", features: "delay", split: { by: "date", test: 0.25 } },
      inputs,
    );
    assert.equal(rows.length, 48);
    assert.deepEqual(Object.keys(rows[0] ?? {}), [
      "id",
      "date",
      "origin",
      "destination",
      "late",
      "origin_day__flights",
      "origin_day__late_share",
      "destination_day__flights",
      "split",
    ]);
    // At noon of January 2 the day before is known; the second itself is known from January 3 on.
    assert.deepEqual(
      [0, 11, 12, 36].map((id) => rows[id]?.["origin_day__flights"]),
      [65, 65, 75, 85],
    );
    assert.deepEqual([rows[0]?.["destination_day__flights"], rows[1]?.["destination_day__flights"]], [66, null]);
    assert.deepEqual([rows[35]?.["split"], rows[36]?.["split"]], ["train", "test"]);
    assert.equal(outcome.facts?.["train"], 36);
    assert.equal((version.content as { join: { label: string } }).join.label, "late");
  });

  it("gives the same training set, and the same digest, when only later days were added to the source", async () => {
    const opened = await bench(kind);
    const flights = await opened.make("flights", SPINE);
    const before = await opened.join({ spine: "flights", features: "delay", timestamp: "date" }, [
      flights,
      await opened.make("airport_day", DAYS),
    ]);
    const later = await opened.make(
      "airport_day",
      "select airport, date '2026-01-04' as day, 9999::bigint as flights, 1.0::double as late_share from (values ('A'), ('B')) a(airport)",
      "append",
    );
    const after = await opened.join({ spine: "flights", features: "delay", timestamp: "date" }, [flights, later]);
    assert.deepEqual(after.rows, before.rows);
  });

  it("takes the rows of a window before the spine's latest, and nothing else of it", async () => {
    const opened = await bench(kind);
    const inputs = [await opened.make("flights", SPINE), await opened.make("airport_day", DAYS)];
    const join = { spine: "flights", features: "delay", timestamp: "date" };
    const all = await opened.join(join, inputs);
    const { rows } = await opened.join({ ...join, window: "12h" }, inputs);
    assert.deepEqual(rows, all.rows.slice(-13));
    await assert.rejects(opened.join({ ...join, window: "soon" }, inputs), /expected a duration/);
  });

  it("explains a cell by its source row", async () => {
    const opened = await bench(kind);
    const { version } = await opened.join({ spine: "flights", features: "delay", timestamp: "date" }, [
      await opened.make("flights", SPINE),
      await opened.make("airport_day", DAYS),
    ]);
    const explained = await opened.features.explain({ versionId: version.id, row: 12, column: "origin_day__flights" });
    assert.deepEqual(
      [explained.value, explained.reason, explained.sourceRow?.["day"], explained.knownFrom, explained.source.dataset],
      [75, "latest row known at the event time", "2026-01-02", "2026-01-03T00:00:00Z", "airport_day"],
    );
    const missing = await opened.features.explain({
      versionId: version.id,
      row: 1,
      column: "destination_day__flights",
    });
    assert.deepEqual([missing.value, missing.reason], [null, "a join key is null"]);
    await assert.rejects(opened.features.explain({ versionId: version.id, row: 1, column: "late" }), (error) =>
      isEsteiraError(error, "FEATURES_CELL_UNKNOWN"),
    );
  });
});

describe("a wrong join", () => {
  const cases: readonly (readonly [string, Parameters<FeatureBench["join"]>[0], string, RegExp])[] = [
    [
      "a label that the spine has not",
      { spine: "flights", label: "lat", features: "delay", timestamp: "date" },
      "FEATURES_COLUMN_MISSING",
      /no column "lat", which is its label/,
    ],
    [
      "a view twice without full names",
      { spine: "flights", features: "delay", timestamp: "date", full_names: false },
      "FEATURES_NAME_COLLISION",
      /"flights": origin_day:flights and destination_day:flights/,
    ],
    [
      "a key that the spine has not",
      { spine: "flights", features: [{ view: "airport_day" }], timestamp: "date" },
      "FEATURES_COLUMN_MISSING",
      /no column "airport", which is its join key for view "airport_day"/,
    ],
    [
      "a key of another type",
      { spine: "flights", features: [{ view: "airport_day", keys: { airport: "id" } }], timestamp: "date" },
      "FEATURES_TYPE_MISMATCH",
      /cannot be the same join key/,
    ],
    [
      "a time that is none",
      { spine: "flights", features: "delay", timestamp: "origin" },
      "FEATURES_TYPE_MISMATCH",
      /cannot be compared with instants/,
    ],
    [
      "a split with nothing to train on",
      { spine: "flights", features: "delay", split: { by: "date", from: "2020-01-01" } },
      "FEATURES_SPLIT_EMPTY",
      /0 rows for training and 48 for the test/,
    ],
    [
      "a service that nobody defines",
      { spine: "flights", features: "dela" },
      "FEATURES_DEFINITIONS_INVALID",
      /no feature service "dela"/,
    ],
  ];
  for (const [what, declaration, code, message] of cases) {
    it(`with ${what} says what is wrong`, async () => {
      const opened = await bench();
      const inputs = [await opened.make("flights", SPINE), await opened.make("airport_day", DAYS)];
      await assert.rejects(
        opened.join(declaration, inputs),
        (error) => isEsteiraError(error, code) && message.test(error.message),
      );
    });
  }

  it("in the definitions is found before anything runs, with its place and the nearest name", async () => {
    const opened = await bench();
    const files = new Map([
      [
        "features/f.yaml",
        DEFINITIONS.replace("features: [flights, late_share]", "features: [flights, day]").replace(
          "entities: [airport]",
          "entities: [airprt]",
        ),
      ],
    ]);
    const analysis = await opened.kind.analyse(
      { join: { spine: "flights", features: [{ view: "airport_dy" }] } },
      {
        project: "p",
        projectFolder: "/",
        step: "training_set",
        knownAssets: new Map<string, AssetKind>([["flights", "data"]]),
        readFile: async (path) => files.get(path),
        glob: async () => [...files.keys()],
      },
    );
    const problems = analysis.problems.map(({ at, path, message, hint }) => [
      at === undefined ? path.join(".") : `${at.line}:${at.column}`,
      message,
      hint,
    ]);
    assert.deepEqual(problems[0], ["7:16", 'There is no entity "airprt"', 'Did you mean "airport"?']);
    assert.deepEqual(problems[1], [
      "11:25",
      '"day" is a key or time of view "airport_day", so it is no feature',
      "Remove it from `features`.",
    ]);
    assert.deepEqual(problems.at(-1), [
      "join.features.0",
      'There is no feature view "airport_dy"',
      'Did you mean "airport_day"?',
    ]);
  });
});
