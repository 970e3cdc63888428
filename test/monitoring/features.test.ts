import assert from "node:assert/strict";
import { it } from "node:test";
import { listWindows } from "#metadata-store/monitoring";
import { readMonitorDeclarations } from "#monitoring";
import { type PredictRequest, sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const FILE = new Map([
  [
    "monitors/delay.yaml",
    "endpoint: delay\nmonitors:\n  features: { features: { missing_share: 0.1, stale_share: 0.2 } }\n",
  ],
]);

type Statuses = NonNullable<PredictRequest["features"]>["rows"][number];

/** A week of flights whose features the online store had, or lacked. */
async function fly(
  { serving }: TestMonitoring,
  week: number,
  of: (row: number) => { readonly statuses?: Statuses; readonly sent?: readonly string[] },
): Promise<void> {
  const flights = makeFlights(600, { seed: week + 5 });
  const rows = flights.map((_, row) => of(row));
  await serving.endpoints.predict(KEY, {
    source: sourceOfRecords(flights.map(({ distance, hour, origin }) => ({ distance, hour, origin }))),
    atMs: flights.map((_, row) => MONDAY_MS + week * WEEK_MS + Math.floor((row / flights.length) * WEEK_MS)),
    features: {
      names: ["distance", "hour"],
      rows: rows.map(({ statuses = {} }) => statuses),
      sent: rows.map(({ sent = [] }) => sent),
    },
  });
}

it("asks for a limit, and refuses what is none", () => {
  const problems = (rule: string): string =>
    readMonitorDeclarations(new Map([["m.yaml", `endpoint: delay\nmonitors:\n  f: { features: ${rule} }\n`]]))
      .problems.map(({ line, message }) => `${line}: ${message}`)
      .join();
  assert.match(problems("{}"), /^3: .*give missing_share or stale_share/);
  assert.match(problems("{ missing_share: 5 }"), /^3: /);
});

describeStores("features of an endpoint", (kind) => {
  it("alert when the online store lacks them, naming feature and moment; what callers send does not count", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", FILE);
    await fly(test, 0, (row) => (row % 20 === 0 ? { statuses: { distance: "NOT_FOUND" } } : {}));
    const until = (
      week: number,
    ): Promise<{ readonly opened: readonly { readonly message: string }[]; readonly closed: number }> =>
      test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + (week + 1) * WEEK_MS });
    assert.deepEqual((await until(0)).opened, []);
    // From the middle of the week on the store has no distance, or a default; of a third the callers send the hour.
    await fly(test, 1, (row) => ({
      statuses:
        row < 300
          ? {}
          : {
              distance: row % 2 === 0 ? "NOT_FOUND" : "DEFAULT",
              ...(row % 3 === 0 ? {} : { hour: "OUTSIDE_MAX_AGE" }),
            },
      sent: row % 3 === 0 ? ["hour"] : [],
    }));
    const { opened } = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
    assert.deepEqual(
      opened.map(({ metric, subject, value, n }) => [metric, subject, value, n]),
      [
        ["feature_missing", "distance", 0.5, 600],
        ["feature_stale", "hour", 0.5, 400],
      ],
    );
    assert.equal(
      opened[0]?.message,
      'feature "distance": 50 % of the rows found no value in the online store, allowed are 10 % (600 rows asked for it)',
    );
    const { since, advice } = JSON.parse(opened[0]?.explanation ?? "{}");
    assert.equal(since.atMs, MONDAY_MS + 1.5 * WEEK_MS);
    assert.deepEqual(advice, [{ kind: "look_at_features", name: "distance" }, { kind: "ask_callers" }]);
    await fly(test, 2, () => ({}));
    assert.deepEqual([(await until(2)).closed], [2]);
    const windows = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const shares = windows.map(({ scores }) => scores.find(({ metric }) => metric === "feature_missing")?.value);
    assert.deepEqual(shares, [0.05, 0.5, 0]);
  });

  it("have no shares, and not one of nothing, where no row asked for them", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", FILE);
    await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(
        makeFlights(600, { seed: 9 }).map(({ distance, hour, origin }) => ({ distance, hour, origin })),
      ),
      atMs: Array.from({ length: 600 }, (_, row) => MONDAY_MS + row * 1000),
    });
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const scores = window?.scores.filter(({ metric }) => metric.startsWith("feature_")) ?? [];
    assert.ok(scores.length > 0);
    for (const { value, n, method } of scores) {
      assert.deepEqual([value, n], [undefined, 0]);
      assert.match(JSON.stringify(method), /no row of the window asked the online store/);
    }
  });
});
