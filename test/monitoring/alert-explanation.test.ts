import assert from "node:assert/strict";
import { it } from "node:test";
import { listAlerts, listNotices } from "#metadata-store/monitoring";
import { readExplanation } from "#monitoring";
import { sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { openWebhookTarget } from "../setup/webhook-target.ts";
import { type Flight, KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const files = (text: string): Map<string, string> => new Map([["monitors/delay.yaml", text]]);
const DRIFT = "  drift: { drift: { columns: [distance] } }\n";

async function explained(
  test: TestMonitoring,
  monitor: string,
): Promise<NonNullable<ReturnType<typeof readExplanation>>> {
  const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
  const found = readExplanation(alerts.find((alert) => alert.monitor === `delay.${monitor}`)?.explanation);
  assert.ok(found !== undefined, JSON.stringify(alerts));
  return found;
}

/** Until the clock shows another millisecond: what is made next is later. */
async function nextMillisecond(): Promise<void> {
  const nowMs = Date.now();
  while (Date.now() === nowMs) await new Promise(setImmediate);
}

describeStores("why an alert opened", (kind) => {
  it("names the column, the moment, both histograms, the segment and what changed upstream", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(`endpoint: delay\nsegments: [origin]\nmonitors:\n${DRIFT}`));
    await test.play(0, makeFlights(1000, { seed: 5 }));
    await nextMillisecond();
    const second = await test.capture();
    await nextMillisecond();
    // From the middle of the second week on, flights of one airport are much longer.
    const later = makeFlights(1600, { seed: 6 }).map((flight, row): Flight => {
      const isFar = row >= 800 && flight.origin === "DEN";
      return isFar ? { ...flight, distance: flight.distance + 5000 } : flight;
    });
    await test.play(1, later);
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
    const { since, columns, segments, causes, advice } = await explained(test, "drift");
    assert.deepEqual(
      [since.windowStartMs, since.windows, since.lastGoodStartMs, since.lastGoodEndMs],
      [MONDAY_MS + WEEK_MS, 1, MONDAY_MS, MONDAY_MS + WEEK_MS],
    );
    assert.ok((since.lastGoodValue ?? 1) < 0.1);
    assert.deepEqual(
      columns.map(({ column, rows, referenceRows }) => [column, rows, referenceRows]),
      [["distance", 1600, 3000]],
    );
    const { shape } = columns[0] ?? {};
    assert.ok(shape !== undefined);
    for (const shares of [shape.reference, shape.current]) {
      assert.equal(shares.length, shape.bins.length);
      assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-3);
    }
    const far = later.filter(({ distance }) => distance > 5000).length / 1600;
    // Bins beyond what the reference has.
    const beyond = shape.current.reduce((sum, share, bin) => sum + ((shape.reference[bin] ?? 0) === 0 ? share : 0), 0);
    assert.ok(Math.abs(beyond - far) < 1e-3, `${beyond} ${far}`);
    assert.deepEqual(
      segments.map(({ segment }) => segment),
      ["origin=DEN"],
    );
    assert.deepEqual(
      causes.map(({ kind: of, name, fromVersion, toVersion, versionId, fromRows, toRows, columns: held }) => [
        of,
        name,
        fromVersion,
        toVersion,
        versionId,
        fromRows,
        toRows,
        held,
      ]),
      [["dataset", "flights", 1, 2, second.id, 1000, 2000, ["distance"]]],
    );
    assert.deepEqual(
      advice.map(({ kind: what, name, version }) => [what, name, version]),
      [
        ["look_at_run", "flights", 2],
        ["restore_dataset", "flights", 1],
        ["look_at_segments", undefined, undefined],
        ["compare_performance", undefined, undefined],
      ],
    );
  });

  it("finds the hour at which a column broke, and none where the window was broken from its start", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files(
        "endpoint: delay\nmonitors:\n  other: { quality: { columns: [origin, distance], unseen: 0.05, out_of_range: 0.05 } }\n",
      ),
    );
    const rows = makeFlights(700, { seed: 9 });
    const source = sourceOfRecords(
      rows.map(({ distance, hour, origin }, row) => ({
        distance: row % 3 === 0 ? distance + 5000 : distance,
        hour,
        origin: row < 500 ? origin : "SFO",
      })),
    );
    const atMs = rows.map((_, row) => MONDAY_MS + row * 600_000);
    await test.serving.endpoints.predict(KEY, { source, atMs });
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    const began = new Map(
      alerts.map(({ subject, explanation }) => [subject, readExplanation(explanation)?.since.atMs]),
    );
    assert.deepEqual(
      began,
      new Map([
        ["origin", MONDAY_MS + 500 * 600_000],
        ["distance", undefined],
      ]),
    );
    const { columns, causes, advice } =
      readExplanation(alerts.find(({ subject }) => subject === "origin")?.explanation) ?? {};
    const { shape } = columns?.[0] ?? {};
    assert.equal(shape?.current[shape.bins.indexOf("SFO")], 0.2857);
    assert.equal(shape?.reference[shape.bins.indexOf("SFO")], 0);
    assert.deepEqual([causes, advice?.map(({ kind: what }) => what)], [[], ["ask_callers"]]);
  });

  it("says that another model answers, and in which segments it is worse than on its test rows", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files(
        "endpoint: delay\nmin_rows: 100\nsegments: [origin]\nmonitors:\n  performance: { performance: { metric: roc_auc, drop: 0.05 } }\n",
      ),
    );
    await test.play(0, makeFlights(1000, { seed: 5 }));
    const next = await test.redeploy();
    const bad = makeFlights(1000, { seed: 6 }).map((flight) =>
      flight.origin === "ATL" ? { ...flight, late: 1 - flight.late } : flight,
    );
    await test.play(1, bad);
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
    const { causes, segments, advice, since } = await explained(test, "performance");
    assert.deepEqual(
      causes.map(({ kind: of, name, fromVersion, toVersion, versionId }) => [
        of,
        name,
        fromVersion,
        toVersion,
        versionId,
      ]),
      [["model", "delay", 1, 2, next.id]],
    );
    assert.equal(segments[0]?.segment, "origin=ATL");
    assert.ok((segments[0]?.value ?? 1) < 0.5 && (segments[0]?.baseline ?? 0) > 0.7);
    assert.deepEqual(
      advice.map(({ kind: what, name, version }) => [what, name, version]),
      [
        ["roll_back", "delay", 1],
        ["look_at_segments", undefined, undefined],
        ["retrain", undefined, undefined],
      ],
    );
    assert.equal(since.atMs, undefined);
  });

  it("is said again of the alert that opens when another model answers and drifts as the one before", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(`endpoint: delay\nmonitors:\n${DRIFT}`));
    await test.play(0, makeFlights(1000, { seed: 5, shift: 5000 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    await test.redeploy();
    await test.play(1, makeFlights(1000, { seed: 6, shift: 5000 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
    const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    assert.deepEqual(
      new Map(alerts.map(({ state, explanation }) => [state, readExplanation(explanation)?.columns.length])),
      new Map([
        ["closed", 1],
        ["open", 1],
      ]),
    );
  });

  it("tells everybody who was told that it opened that it closed, and why, after that", async () => {
    let isDown = true;
    const target = await openWebhookTarget(() => (isDown ? 503 : 204));
    let shiftMs = 0;
    const clock = { now: () => Date.now() + shiftMs, monotonic: () => performance.now() };
    const test = await startMonitoring(kind, { clock });
    await test.monitoring.saveMonitors(
      "p",
      files(`endpoint: delay\nnotify: [{ webhook: "${target.url}" }]\nmonitors:\n${DRIFT}`),
    );
    await test.play(0, makeFlights(600, { seed: 5, shift: 900 }), { labels: false });
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    await test.monitoring.tick();
    await test.play(1, makeFlights(600, { seed: 6 }), { labels: false });
    assert.equal((await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS })).closed, 1);
    isDown = false;
    for (let turn = 0; turn < 5; turn++) {
      shiftMs += 60_000;
      await test.monitoring.tick();
    }
    const told = target.received.map(
      ({ body }) => JSON.parse(body) as { type: string; alert: Record<string, unknown> },
    );
    assert.deepEqual(
      told.map(({ type }) => type),
      ["alert.opened", "alert.opened", "alert.closed"],
    );
    assert.equal(told[2]?.alert["closeReason"], "the value is back within its bounds");
    assert.ok(typeof told[0]?.alert["explanation"] === "object");
    const [alert] = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    const notices = await test.store.read((transaction) => listNotices(transaction, alert?.id ?? ""));
    assert.deepEqual(
      notices.map(({ event, state }) => [event, state]),
      [
        ["opened", "delivered"],
        ["closed", "delivered"],
      ],
    );
  });
});
