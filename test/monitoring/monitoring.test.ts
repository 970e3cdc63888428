import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { it } from "node:test";
import { type Clock, isEsteiraError, silentLog, systemClock } from "#base";
import { listAlerts, listNotices, listMonitors, listWindows } from "#metadata-store/monitoring";
import { getPrediction } from "#metadata-store/serving";
import { evaluate } from "#models";
import { parseLabelBatch } from "#monitoring";
import { sourceOfRecords } from "#serving";
import { describeStores } from "../setup/stores.ts";
import { openWebhookTarget } from "../setup/webhook-target.ts";
import { createRandom, createRowReader, KEY, makeFlights, MONDAY_MS, startMonitoring, WEEK_MS } from "./watched.ts";

const MONITORS = `
endpoint: delay
min_rows: 200
segments: [origin]
monitors:
  drift: { drift: { columns: [distance, origin], threshold: 0.1 } }
  performance: { performance: { metric: roc_auc, drop: 0.05 } }
  quality: { quality: { unseen: 0.01, null_share: 0.01 } }
`;

const HOUR_MS = 3_600_000;

const files = (text: string): Map<string, string> => new Map([["monitors/delay.yaml", text]]);

describeStores("monitoring", (kind) => {
  it("computes a week's drift and performance as the statistics and metrics say, overall and by segment", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(MONITORS));
    const flights = makeFlights(1000, { seed: 5 });
    const ids = await test.play(0, flights);
    const report = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    assert.deepEqual(report.opened, []);
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    assert.deepEqual(
      [window?.startMs, window?.predictions, window?.labelled, window?.closed, window?.versions],
      [MONDAY_MS, 1000, 1000, true, { [test.version.id]: 1000 }],
    );
    const predictions = await Promise.all(
      ids.map(
        async (id) => (await test.store.read((transaction) => getPrediction(transaction, id)))?.prediction ?? NaN,
      ),
    );
    const auc = evaluate(
      "roc_auc",
      { labels: flights.map((flight) => flight.late), predictions },
      "binary_classification",
    );
    const found = window?.scores.find((score) => score.metric === "roc_auc" && score.segment === "");
    assert.ok(Math.abs((found?.value ?? NaN) - auc) < 1e-12);
    assert.ok(Math.abs((found?.baseline ?? NaN) - auc) < 0.05);
    const denver = flights.flatMap((flight, row) => (flight.origin === "DEN" ? [row] : []));
    const segment = window?.scores.find((score) => score.metric === "roc_auc" && score.segment === "origin=DEN");
    const expected = evaluate(
      "roc_auc",
      {
        labels: denver.map((row) => flights[row]?.late ?? NaN),
        predictions: denver.map((row) => predictions[row] ?? NaN),
      },
      "binary_classification",
    );
    assert.equal(segment?.n, denver.length);
    assert.ok(Math.abs((segment?.value ?? NaN) - expected) < 1e-12);
    const drift = window?.scores.filter((score) => score.metric.startsWith("drift."));
    assert.deepEqual(
      drift?.map((score) => [score.subject, score.metric, score.breached]),
      [
        ["origin", "drift.jensenshannon", false],
        ["distance", "drift.wasserstein", false],
        ["hour", "drift.wasserstein", false],
      ],
    );
  });

  it("compares with the rows that the model takes, and says how many it refuses", async () => {
    const all = makeFlights(4000, { seed: 1 }).map((flight, row) => ({
      ...flight,
      split: row < 3000 ? "train" : "test",
      hour: row % 10 === 0 ? NaN : flight.hour,
    }));
    const told: unknown[] = [];
    const log = { ...silentLog, warn: (text: string, facts?: object) => void told.push([text, facts]) };
    const test = await startMonitoring(kind, {
      datasets: createRowReader(all),
      log,
      wrapScorer: (scorer) => ({ ...scorer, neverMissing: async () => ["hour"] }),
    });
    await test.monitoring.saveMonitors("p", files(MONITORS));
    await test.play(0, makeFlights(1000, { seed: 5 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const found = window?.scores.find((score) => score.metric === "roc_auc" && score.segment === "");
    assert.ok(Math.abs((found?.value ?? NaN) - (found?.baseline ?? NaN)) < 0.05, JSON.stringify(found));
    const rows = "rows of a reference are left out: the model refuses what they lack";
    assert.deepEqual(told, [
      [rows, { model: "delay", version: 1, leftOut: 100, of: 1000 }],
      [rows, { model: "delay", version: 1, leftOut: 300, of: 3000 }],
    ]);
  });

  it("does not settle a window whose reference could not be scored", async () => {
    let isAway = true;
    const test = await startMonitoring(kind, {
      wrapScorer: (scorer) => ({
        ...scorer,
        score: async (...request) => {
          if (isAway) throw new Error("the process of the model was ended");
          return scorer.score(...request);
        },
      }),
    });
    await test.monitoring.saveMonitors("p", files(MONITORS));
    await test.play(0, makeFlights(1000, { seed: 5 }));
    const untilMs = MONDAY_MS + WEEK_MS;
    await assert.rejects(test.monitoring.evaluate({ ...KEY, untilMs }), /the process of the model was ended/);
    isAway = false;
    assert.equal((await test.monitoring.evaluate({ ...KEY, untilMs })).windows, 1);
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    assert.ok(window?.scores.some(({ metric }) => metric === "roc_auc"));
  });

  it("opens one alert per window for what drifted, and closes it when the value is back", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(MONITORS));
    await test.play(0, makeFlights(600, { seed: 5, shift: 400, origins: ["ATL", "DEN", "ORD", "SFO"] }), {
      labels: false,
    });
    const [first, again] = [
      await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS }),
      await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS }),
    ];
    assert.deepEqual(
      first.opened
        .map((alert) => `${alert.monitor}:${alert.subject}`)
        .toSorted((left, right) => (left < right ? -1 : 1)),
      ["delay.drift:distance", "delay.drift:origin", "delay.quality:origin"],
    );
    assert.equal(again.opened.length, 0);
    const distance = first.opened.find((alert) => alert.subject === "distance");
    assert.match(
      distance?.message ?? "",
      /column "distance" drifted: wasserstein 0\.\d+ ≥ 0\.1 \(600 rows against 3000\)/,
    );
    await test.play(1, makeFlights(600, { seed: 6, shift: 400 }), { labels: false });
    assert.equal((await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS })).opened.length, 0);
    const still = await test.store.read((transaction) => listAlerts(transaction, { project: "p", states: ["open"] }));
    assert.deepEqual(
      still.map((alert) => [alert.subject, alert.windows]),
      [["distance", 2]],
    );
    await test.play(2, makeFlights(600, { seed: 7 }), { labels: false });
    assert.equal((await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 3 * WEEK_MS })).closed, 1);
    assert.equal(
      (await test.store.read((transaction) => listAlerts(transaction, { project: "p", states: ["open"] }))).length,
      0,
    );
  });

  it("judges performance when enough labels are in, and opens a new alert for a new model version only", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files("endpoint: delay\nmonitors:\n  performance: { performance: { metric: roc_auc, drop: 0.05 } }\n"),
    );
    const flights = makeFlights(500, { seed: 9, flip: 0.4 });
    const ids = await test.play(0, flights, { labels: false });
    const untilMs = MONDAY_MS + WEEK_MS;
    const label = (from: number, to: number): Promise<unknown> =>
      test.monitoring.recordLabels({
        ...KEY,
        actor: "ana",
        untilMs,
        labels: ids.slice(from, to).map((id, row) => ({ id, label: flights[from + row]?.late ?? 0 })),
      });
    await label(0, 250);
    await test.monitoring.evaluate({ ...KEY, untilMs });
    assert.deepEqual(
      (await test.store.read((transaction) => listAlerts(transaction, { project: "p" }))).map((alert) => alert.message),
      [],
    );
    await label(250, 500);
    await test.monitoring.evaluate({ ...KEY, untilMs });
    const [alert] = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    assert.deepEqual(
      [alert?.monitor, alert?.metric, alert?.modelVersionId],
      ["delay.performance", "roc_auc", test.version.id],
    );
    assert.ok((alert?.value ?? 1) < (alert?.threshold ?? 0));
    const next = await test.redeploy();
    await test.play(1, makeFlights(500, { seed: 10, flip: 0.4 }));
    const report = await test.monitoring.evaluate({ ...KEY, untilMs: untilMs + WEEK_MS });
    const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    assert.deepEqual(
      alerts.map((one) => [one.modelVersionId, one.state]),
      [
        [next.id, "open"],
        [test.version.id, "closed"],
      ],
    );
    assert.deepEqual(
      report.opened.map((one) => one.modelVersionId),
      [next.id],
    );
  });

  it("judges by the hour, names the one that drifted, and closes the alert with the next that did not", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files("endpoint: delay\nwindow: hour\nmin_rows: 100\nmonitors:\n  drift: { drift: { columns: [distance] } }\n"),
    );
    const flights = [0, 600, 0].flatMap((shift, hour) => makeFlights(300, { seed: 30 + hour, shift }));
    await test.serving.endpoints.predict(KEY, {
      source: sourceOfRecords(flights.map(({ distance, hour, origin }) => ({ distance, hour, origin }))),
      // The first prediction of an hour belongs to it, the last of the one before does not.
      atMs: flights.map((_, row) => MONDAY_MS + row * 12_000),
    });
    const untilMs = MONDAY_MS + 3 * HOUR_MS;
    const report = await test.monitoring.evaluate({ ...KEY, untilMs });
    assert.deepEqual([report.windows, report.opened.length, report.closed], [3, 1, 1]);
    const windows = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "hour" }));
    assert.deepEqual(
      windows.map(({ startMs, endMs, predictions, closed }) => [
        startMs - MONDAY_MS,
        endMs - startMs,
        predictions,
        closed,
      ]),
      [0, 1, 2].map((hour) => [hour * HOUR_MS, HOUR_MS, 300, true]),
    );
    const [alert] = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    assert.deepEqual([alert?.windowStartMs, alert?.state], [MONDAY_MS + HOUR_MS, "closed"]);
  });

  it("waits for as many windows in a row as the monitor asks", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files("endpoint: delay\nmonitors:\n  drift: { consecutive: 2, drift: { columns: [distance] } }\n"),
    );
    const opened: number[] = [];
    for (const [week, shift] of [400, 0, 400, 400].entries()) {
      await test.play(week, makeFlights(400, { seed: week + 20, shift }), { labels: false });
      opened.push(
        (await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + (week + 1) * WEEK_MS })).opened.length,
      );
    }
    assert.deepEqual(opened, [0, 0, 0, 1]);
  });

  it("joins late, repeated, corrected and keyed labels, and keeps those without a prediction", async () => {
    const test = await startMonitoring(kind);
    const ids = await test.play(0, makeFlights(10, { seed: 3 }), { labels: false });
    const send = (body: object): Promise<unknown> =>
      test.monitoring.recordLabels({ ...KEY, actor: "ana", ...parseLabelBatch(body) });
    const counts = (report: unknown): readonly number[] =>
      ["matched", "repeated", "corrected", "unmatched"].map((name) => (report as Record<string, number>)[name] ?? -1);
    assert.deepEqual(
      counts(
        await send({
          labels: [
            { id: ids[0], label: true },
            { entityKey: "w0-1", label: 0 },
            { id: "01NOSUCHPREDICTION", label: 1 },
            { entityKey: "nobody", label: 1 },
          ],
        }),
      ),
      [2, 0, 0, 2],
    );
    assert.deepEqual(
      counts(
        await send({
          labels: [
            { id: ids[0], label: 1 },
            { entityKey: "w0-1", label: 1 },
            { id: ids[2], label: 0 },
            { id: ids[2], label: 1 },
          ],
        }),
      ),
      [4, 1, 2, 0],
    );
    const labelled = await Promise.all(
      [0, 1, 2].map(
        async (row) => (await test.store.read((transaction) => getPrediction(transaction, ids[row] ?? "")))?.label,
      ),
    );
    assert.deepEqual(labelled, [1, 1, 1]);
    assert.equal(
      (await test.store.read((transaction) => getPrediction(transaction, ids[1] ?? "")))?.labelCorrections,
      1,
    );
    // A label for an event before the prediction was made means another prediction.
    assert.deepEqual(counts(await send({ labels: [{ entityKey: "w0-3", label: 1, at: "2001-01-01" }] })), [0, 0, 0, 1]);
    for (const wrong of [
      { labels: [{ label: 1 }] },
      { labels: [{ id: "x", entityKey: "y", label: 1 }] },
      { labels: [{ id: "x" }] },
      { rows: [] },
    ]) {
      assert.throws(
        () => parseLabelBatch(wrong),
        (error) => isEsteiraError(error, "MONITORING_LABEL_INVALID"),
        JSON.stringify(wrong),
      );
    }
  });

  it("delivers an alert to its webhook until it is taken, signed with the secret that notify names and with a stable id", async () => {
    const target = await openWebhookTarget((received) => (received.length === 1 ? 503 : 204));
    const plain = await openWebhookTarget();
    let shiftMs = 0;
    const clock: Clock = { now: () => Date.now() + shiftMs, monotonic: systemClock.monotonic };
    const test = await startMonitoring(kind, {
      clock,
      secret: (name) => (name === "ALERTS" ? "s3cret-value" : undefined),
    });
    await test.monitoring.saveMonitors(
      "p",
      files(
        `endpoint: delay\nnotify: [{ webhook: "${target.url}", secret: ALERTS }, { webhook: "${plain.url}" }]\nmonitors:\n  drift: { drift: { columns: [distance] } }\n`,
      ),
    );
    await test.play(0, makeFlights(400, { seed: 2, shift: 500 }), { labels: false });
    const { opened } = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const id = opened[0]?.id ?? "";
    await test.monitoring.tick();
    assert.equal(target.received.length, 1);
    shiftMs = 60_000;
    await test.monitoring.tick();
    await test.monitoring.tick();
    assert.deepEqual(
      target.received.map(({ headers }) => headers["x-esteira-alert"]),
      [id, id],
    );
    for (const { headers, body } of target.received) {
      const timestamp = String(headers["x-esteira-timestamp"]);
      assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 120);
      // Computed here as a receiver would.
      assert.equal(
        headers["x-esteira-signature"],
        `sha256=${createHmac("sha256", "s3cret-value").update(`${id}.${timestamp}.${body}`).digest("hex")}`,
      );
      assert.doesNotMatch(JSON.stringify(headers) + body, /s3cret-value/);
    }
    assert.deepEqual(
      plain.received.map(({ headers }) => headers["x-esteira-signature"]),
      [undefined],
    );
    const deliveries = await test.store.read((transaction) => listNotices(transaction, id));
    assert.deepEqual(
      new Map(deliveries.map(({ target: url, state, attempts }) => [url, [state, attempts]])),
      new Map([
        [plain.url, ["delivered", 1]],
        [target.url, ["delivered", 2]],
      ]),
    );
    const stored = await test.store.read(async (transaction) => [
      await listMonitors(transaction, { project: "p" }),
      await listAlerts(transaction, { project: "p" }),
      deliveries,
    ]);
    assert.doesNotMatch(JSON.stringify(stored), /s3cret-value/);
  });

  it("sends nothing that cannot be signed as its monitor says, and tells which secret is missing", async () => {
    const target = await openWebhookTarget();
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors(
      "p",
      files(
        `endpoint: delay\nnotify: [{ webhook: "${target.url}", secret: alerts-key }]\nmonitors:\n  drift: { drift: { columns: [distance] } }\n`,
      ),
    );
    await test.play(0, makeFlights(400, { seed: 2, shift: 500 }), { labels: false });
    const { opened } = await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    await test.monitoring.tick();
    const [delivery] = await test.store.read((transaction) => listNotices(transaction, opened[0]?.id ?? ""));
    assert.deepEqual([delivery?.state, delivery?.attempts, target.received.length], ["pending", 1, 0]);
    assert.match(delivery?.lastError ?? "", /ESTEIRA_SECRET_ALERTS_KEY/);
  });

  it("refuses a monitor file with a mistake, naming the place, and keeps the monitors it had", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(MONITORS));
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["endpoint: delay\nwindow: month\nmonitors: {}\n", /^monitors\/delay.yaml:2:9: .*"month"/],
      ["endpoint: delay\nmonitors:\n  drift: { drfit: {} }\n", /^monitors\/delay.yaml:3:/],
      [
        "endpoint: delay\nmonitors:\n  p: { performance: { metric: roc_auc } }\n",
        /at_least, at_most, drop or deviations/,
      ],
      [
        "endpoint: delay\nmonitors:\n  p: { performance: { metric: rocauc, at_least: 0.7 } }\n",
        /^monitors\/delay.yaml:3:31/,
      ],
    ];
    for (const [text, message] of wrong) {
      await assert.rejects(test.monitoring.saveMonitors("p", files(text)), (error) => {
        assert.ok(isEsteiraError(error, "MONITORING_MONITOR_INVALID"), String(error));
        assert.match(error.message, message);
        return true;
      });
    }
    assert.deepEqual(
      (await test.store.read((transaction) => listMonitors(transaction, { project: "p" }))).map(
        (monitor) => monitor.name,
      ),
      ["delay.drift", "delay.performance", "delay.quality"],
    );
  });

  it("raises no alarm in nine of ten weeks that are like the training data", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", files(MONITORS));
    const random = createRandom(77);
    let alarms = 0;
    for (let week = 0; week < 10; week++) {
      await test.play(week, makeFlights(800, { seed: Math.floor(random() * 1e9) }));
      if ((await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + (week + 1) * WEEK_MS })).opened.length > 0)
        alarms++;
    }
    assert.ok(alarms <= 1, `${alarms} of 10 weeks raised an alarm`);
  });
});
