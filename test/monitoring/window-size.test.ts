import assert from "node:assert/strict";
import { it } from "node:test";
import { silentLog } from "#base";
import { listWindows, type MonitorWindow } from "#metadata-store/monitoring";
import { readMonitorDeclarations } from "#monitoring";
import { sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { type Flight, KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const file = (window: string, rest = ""): ReadonlyMap<string, string> =>
  new Map([
    [
      "monitors/delay.yaml",
      `endpoint: delay\nwindow: ${window}\nmin_rows: 50\nmonitors:\n  drift: { drift: { columns: [distance], method: psi } }\n  performance: { performance: { metric: roc_auc, at_least: 0.6, coverage: 0.9 } }\n${rest}`,
    ],
  ]);

async function windowsOf({ store }: TestMonitoring, size: string): Promise<readonly MonitorWindow[]> {
  return store.read((transaction) => listWindows(transaction, { ...KEY, size }));
}

const shapeOf = (windows: readonly MonitorWindow[]): unknown[] =>
  windows.map(({ startMs, endMs, predictions, labelled, closed }) => [
    (startMs - MONDAY_MS) / MINUTE_MS,
    (endMs - MONDAY_MS) / MINUTE_MS,
    predictions,
    labelled,
    closed,
  ]);

/** One flight a minute, from a minute of that Monday on. */
async function fly(
  { serving, monitoring }: TestMonitoring,
  minute: number,
  flights: readonly Flight[],
  { labels = false } = {},
): Promise<readonly string[]> {
  const { predictionIds } = await serving.endpoints.predict(KEY, {
    source: sourceOfRecords(flights.map(({ distance, hour, origin }) => ({ distance, hour, origin }))),
    atMs: flights.map((_, row) => MONDAY_MS + (minute + row) * MINUTE_MS),
  });
  if (labels)
    await monitoring.recordLabels({
      ...KEY,
      actor: "ana",
      untilMs: undefined,
      labels: flights.map(({ late }, row) => ({ id: predictionIds[row], label: late, atMs: MONDAY_MS + WEEK_MS })),
    });
  return predictionIds;
}

it("refuses windows that cannot be cut, and says how they are written", () => {
  const problemsOf = (window: string, rest?: string): string =>
    readMonitorDeclarations(file(window, rest))
      .problems.map(({ line, message }) => `${line}: ${message}`)
      .join("; ");
  for (const window of ["hour", "6 hours", "1 day", "7 days every 1 day", "5000 rows", "500 rows every 100 rows"])
    assert.equal(problemsOf(window), "", window);
  assert.match(problemsOf("month"), /^2: .*expected hour, day, week, or as 6 hours, 5000 rows/);
  assert.match(problemsOf("'5000'"), /^2: .*expected hour, day, week/);
  assert.match(problemsOf("7 days every 2 days"), /^2: .*whole part/);
  assert.match(problemsOf("7 days every 100 rows"), /^2: .*moves on by rows/);
  assert.match(problemsOf("1 day every 2 days"), /^2: .*whole part/);
  assert.match(problemsOf("52 weeks every 1 hour"), /^2: .*at most 60 windows may overlap, these are 8736/);
  assert.match(problemsOf("9 rows"), /^2: .*from 10 to 1000000 rows/);
  assert.match(problemsOf("40 rows"), /^3: .*no window of 40 rows has min_rows, 50/);
  assert.match(
    problemsOf("500 rows", "  rows: { quality: { rows_at_least: 10 } }\n"),
    /^7: .*a window of 500 rows always has as many/,
  );
});

describeStores("windows of a monitor", (kind) => {
  it("are cut every so many rows, judged when they are full, and counted again when something comes late", async () => {
    const test = await startMonitoring(kind);
    const size = "100 rows";
    await test.monitoring.saveMonitors("p", file(size));
    await fly(test, 0, makeFlights(250, { seed: 5 }));
    assert.deepEqual((await test.monitoring.evaluate(KEY)).opened, []);
    assert.deepEqual(shapeOf(await windowsOf(test, size)), [
      [0, 99 + 1 / MINUTE_MS, 100, 0, true],
      [99 + 1 / MINUTE_MS, 199 + 1 / MINUTE_MS, 100, 0, true],
      [199 + 1 / MINUTE_MS, 249 + 1 / MINUTE_MS, 50, 0, false],
    ]);
    // The third one fills with rows of other distances, and a late one falls into the first.
    await fly(test, 250, makeFlights(60, { seed: 6, shift: 2000 }));
    await fly(test, 50, makeFlights(1, { seed: 7 }));
    const { opened, windows } = await test.monitoring.evaluate(KEY);
    assert.equal(windows, 3);
    assert.deepEqual(
      opened.map((alert) => [alert.monitor, alert.subject, (alert.windowStartMs - MONDAY_MS) / MINUTE_MS, alert.n]),
      [["delay.drift", "distance", 199 + 1 / MINUTE_MS, 100]],
    );
    assert.match(opened[0]?.explanation ?? "", /"lastGoodStartMs":/);
    assert.deepEqual(shapeOf(await windowsOf(test, size)).slice(0, 4), [
      [0, 99 + 1 / MINUTE_MS, 101, 0, true],
      [99 + 1 / MINUTE_MS, 199 + 1 / MINUTE_MS, 100, 0, true],
      [199 + 1 / MINUTE_MS, 299 + 1 / MINUTE_MS, 100, 0, true],
      [299 + 1 / MINUTE_MS, 309 + 1 / MINUTE_MS, 10, 0, false],
    ]);
    assert.equal((await test.monitoring.evaluate(KEY)).windows, 0);
  });

  it("of rows are followed by the server's tick: labels, then a correction, change the window that holds them", async () => {
    const test = await startMonitoring(kind);
    const size = "100 rows";
    await test.monitoring.saveMonitors("p", file(size));
    const flights = makeFlights(250, { seed: 5 });
    const ids = await fly(test, 0, flights);
    await test.monitoring.tick();
    assert.deepEqual(
      (await windowsOf(test, size)).map(({ closed }) => closed),
      [true, true, false],
    );
    const label = (rows: readonly number[], flip: boolean): Promise<unknown> =>
      test.monitoring.recordLabels({
        ...KEY,
        actor: "ana",
        untilMs: undefined,
        labels: rows.map((row) => ({
          id: ids[row],
          label: Math.abs((flights[row]?.late ?? 0) - (flip ? 1 : 0)),
          atMs: MONDAY_MS + WEEK_MS + (flip ? 1 : 0),
        })),
      });
    const second = Array.from({ length: 100 }, (_, row) => 100 + row);
    await label(second, false);
    test.forward(61_000);
    await test.monitoring.tick();
    const before = (await windowsOf(test, size))[1];
    const auc = (window: MonitorWindow | undefined): number =>
      window?.scores.find(({ metric, segment }) => metric === "roc_auc" && segment === "")?.value ?? NaN;
    assert.deepEqual([before?.labelled, before?.corrections, auc(before) > 0.6], [100, 0, true]);
    await label(second, true);
    test.forward(61_000);
    await test.monitoring.tick();
    const after = (await windowsOf(test, size))[1];
    assert.deepEqual([after?.labelled, after?.corrections, auc(after) < 0.4], [100, 100, true]);
    const { opened } = await test.monitoring.evaluate(KEY);
    assert.deepEqual(
      opened.map(({ monitor }) => monitor),
      ["delay.performance"],
    );
  });

  it("of rows do not skip one that failed", async () => {
    let isAway = true;
    const test = await startMonitoring(kind, {
      log: silentLog,
      wrapScorer: (scorer) => ({
        ...scorer,
        score: async (...request) => {
          if (isAway) throw new Error("the process of the model was ended");
          return scorer.score(...request);
        },
      }),
    });
    const size = "100 rows";
    await test.monitoring.saveMonitors("p", file(size));
    await fly(test, 0, makeFlights(250, { seed: 5 }));
    await test.monitoring.tick();
    assert.deepEqual(await windowsOf(test, size), []);
    isAway = false;
    test.forward(61_000);
    await test.monitoring.tick();
    assert.deepEqual(
      (await windowsOf(test, size)).map(({ predictions }) => predictions),
      [100, 100, 50],
    );
  });

  it("of rows may overlap, and share their cuts", async () => {
    const test = await startMonitoring(kind);
    const size = "100 rows every 50 rows";
    await test.monitoring.saveMonitors("p", file(size));
    await fly(test, 0, makeFlights(130, { seed: 5 }));
    await test.monitoring.evaluate(KEY);
    await fly(test, 130, makeFlights(130, { seed: 6 }), { labels: true });
    await test.monitoring.evaluate(KEY);
    const end = (minute: number): number => minute + 1 / MINUTE_MS;
    assert.deepEqual(shapeOf(await windowsOf(test, size)), [
      [0, end(99), 100, 0, true],
      [end(49), end(149), 100, 20, true],
      [end(99), end(199), 100, 70, true],
      [end(149), end(249), 100, 100, true],
    ]);
    assert.equal((await test.monitoring.evaluate(KEY)).windows, 0);
    // In two windows at once.
    await fly(test, 120, makeFlights(1, { seed: 7 }));
    assert.equal((await test.monitoring.evaluate(KEY)).windows, 2);
  });

  it("of time may overlap: each is judged when it is over, by all that it holds", async () => {
    const test = await startMonitoring(kind);
    const size = "3 days every 1 day";
    await test.monitoring.saveMonitors("p", file(size));
    // 200 flights a day, of which those of the fifth day are of other distances.
    const days = Array.from({ length: 5 }, (_, day) =>
      makeFlights(200, { seed: day + 1, shift: day === 4 ? 3000 : 0 }),
    );
    for (const [day, flights] of days.entries()) await fly(test, (day * DAY_MS) / MINUTE_MS, flights);
    const { opened } = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 5 * DAY_MS });
    const windows = await windowsOf(test, size);
    assert.deepEqual(
      windows.map(({ startMs, endMs, predictions, closed }) => [
        (startMs - MONDAY_MS) / DAY_MS,
        (endMs - MONDAY_MS) / DAY_MS,
        predictions,
        closed,
      ]),
      [
        [-2, 1, 200, true],
        [-1, 2, 400, true],
        [0, 3, 600, true],
        [1, 4, 600, true],
        [2, 5, 600, true],
      ],
    );
    const drift = windows.map(
      ({ scores }) => scores.find(({ metric, subject }) => metric === "drift.psi" && subject === "distance")?.n,
    );
    assert.deepEqual(drift, [200, 400, 600, 600, 600]);
    assert.deepEqual(
      opened.map(({ monitor, windowStartMs }) => [monitor, (windowStartMs - MONDAY_MS) / DAY_MS]),
      [["delay.drift", 2]],
    );
    // A late row of the second day is part of three windows.
    await fly(test, (1.5 * DAY_MS) / MINUTE_MS, makeFlights(1, { seed: 9 }));
    const again = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 5 * DAY_MS });
    assert.equal(again.windows, 3);
  });
});
