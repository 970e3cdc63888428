import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Clock, silentLog } from "#base";
import { listAlerts } from "#metadata-store/monitoring";
import { getPrediction } from "#metadata-store/serving";
import { readExplanation } from "#monitoring";
import { createObjectives } from "../../src/monitoring/objectives.ts";
import { saveMonitorFiles } from "../../src/monitoring/monitor-set.ts";
import { BURN_RULES, budgetLeft, burnLimit, burnRate } from "../../src/monitoring/statistics/burn-rate.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";
import { KEY, makeFlights, startMonitoring } from "./watched.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 2, 2, 10, 0, 30);
const PLACE = [{ project: "p" }];

const file = (rules: string): Map<string, string> =>
  new Map([["monitors/delay.yaml", `endpoint: delay\nmonitors:\n${rules}`]]);

describe("burn rates", () => {
  it("are those of the workbook", () => {
    // The Site Reliability Workbook, table 5-8: 30 days.
    assert.deepEqual(
      BURN_RULES.map((rule) => Number(burnLimit(rule, 30).toFixed(9))),
      [14.4, 6, 1],
    );
    // Its example: an error rate of 0.1 % at a target of 99.9 % is a rate of 1; 1.44 % is 14.4.
    assert.ok(Math.abs(burnRate({ good: 9990, total: 10_000 }, 0.999) - 1) < 1e-9);
    assert.ok(Math.abs(burnRate({ good: 985_600, total: 1_000_000 }, 0.999) - 14.4) < 1e-9);
    assert.ok(Math.abs(budgetLeft({ good: 9996, total: 10_000 }, 0.999) - 0.6) < 1e-9);
    assert.deepEqual([burnRate({ good: 0, total: 0 }, 0.9), budgetLeft({ good: 0, total: 0 }, 0.9)], [0, 1]);
  });
});

describeStores("objectives", (kind) => {
  it("open an alert while both windows of a pair burn, and say what an independent count says", async () => {
    const { store } = await openTestStore(kind);
    let nowMs = START_MS;
    const clock: Clock = { now: () => nowMs, monotonic: () => nowMs };
    const watch = createObjectives({ store, clock, log: silentLog, routes: [] });
    await saveMonitorFiles(
      { store, clock },
      "p",
      file(
        "  fast: { objective: { latency_ms: 250, target: 0.99 } }\n  up: { objective: { errors: true, target: 0.999 } }\n",
      ),
    );
    const events: { readonly atMs: number; readonly ms: number; readonly failed: boolean }[] = [];
    const alertsOf = async (): Promise<readonly string[]> =>
      (await store.read((transaction) => listAlerts(transaction, { project: "p" }))).map(
        ({ monitor, segment, state }) => `${monitor} ${segment} ${state}`,
      );
    /** Ten requests a minute, of which some are slow and some fail. */
    const play = async (minutes: number, slow: number, failed: number, every = 1): Promise<void> => {
      for (let minute = 0; minute < minutes; minute++) {
        for (let request = 0; request < 10; request++) {
          const isFailed = request >= 10 - failed;
          const ms = request < slow ? 900 : 20;
          events.push({ atMs: nowMs, ms, failed: isFailed });
          watch.seen(KEY, { durationMs: ms, outcome: isFailed ? "failed" : "answered" });
          watch.seen(KEY, { durationMs: 9999, outcome: "caller" });
        }
        if ((minute + 1) % every === 0) await watch.look(PLACE);
        nowMs += MINUTE_MS;
      }
      nowMs -= MINUTE_MS;
    };
    await play(90, 0, 0, 45);
    assert.deepEqual(await alertsOf(), []);
    nowMs += MINUTE_MS;
    const slowFromMs = nowMs;
    // 20 % slow burns twenty times as fast, of the last minutes; longer windows follow one after the other.
    await play(5, 2, 0);
    assert.deepEqual(await alertsOf(), ["delay.fast 3 days open"]);
    nowMs += MINUTE_MS;
    await play(36, 2, 0, 6);
    assert.deepEqual(await alertsOf(), ["delay.fast 6 h open", "delay.fast 3 days open"]);
    nowMs += MINUTE_MS;
    await play(10, 2, 1);
    assert.deepEqual((await alertsOf()).toSorted(), [
      "delay.fast 1 h open",
      "delay.fast 3 days open",
      "delay.fast 6 h open",
      "delay.up 1 h open",
      "delay.up 3 days open",
      "delay.up 6 h open",
    ]);

    // Counted here on its own: the share of bad events of the last minutes over what is allowed.
    const states = await watch.states(KEY);
    for (const [name, allowed, isBad] of [
      ["delay.fast", 0.01, (event: (typeof events)[number]) => (event.failed ? undefined : event.ms > 250)],
      ["delay.up", 0.001, (event: (typeof events)[number]) => event.failed],
    ] as const) {
      const state = states.find(({ monitor }) => monitor === name);
      const rateOf = (minutes: number): number => {
        const own = events
          .filter(({ atMs }) => Math.floor(atMs / MINUTE_MS) > Math.floor(nowMs / MINUTE_MS) - minutes)
          .map(isBad)
          .filter((bad) => bad !== undefined);
        return own.filter(Boolean).length / own.length / allowed;
      };
      for (const [index, long, short] of [
        [0, 60, 5],
        [1, 360, 30],
      ] as const) {
        assert.ok(Math.abs((state?.burns[index]?.longRate ?? 0) - rateOf(long)) < 1e-9, `${name} ${long}`);
        assert.ok(Math.abs((state?.burns[index]?.shortRate ?? 0) - rateOf(short)) < 1e-9, `${name} ${short}`);
      }
      assert.ok(Math.abs((state?.budgetLeft ?? 0) - (1 - rateOf(100_000))) < 1e-9);
    }
    const alerts = await store.read((transaction) => listAlerts(transaction, { project: "p" }));
    const up = alerts.find(({ monitor, segment }) => monitor === "delay.up" && segment === "1 h");
    assert.match(up?.message ?? "", /% of the last 1 h and .*% of the last 5 min failed, 0\.1 % may: .* times as fast/);

    const slow = alerts.find(({ monitor, segment }) => monitor === "delay.fast" && segment === "6 h");
    const explanation = readExplanation(slow?.explanation);
    assert.deepEqual(explanation?.advice, [{ kind: "look_at_requests" }]);
    assert.ok(Math.abs((explanation?.since.atMs ?? 0) - slowFromMs) <= 30 * MINUTE_MS, "a twelfth of six hours");

    // The short windows are clean first: the long ones may still burn, the alerts close.
    nowMs += MINUTE_MS;
    await play(6, 0, 0);
    assert.ok((await alertsOf()).includes("delay.fast 1 h closed"));
    assert.ok((await alertsOf()).includes("delay.fast 6 h open"));
    nowMs += MINUTE_MS;
    await play(6 * 60, 0, 0, 60);
    assert.deepEqual(
      (await alertsOf()).filter((alert) => !alert.endsWith("closed")),
      [],
    );
  });

  it("lose nothing while the store cannot be written, count promises apart, and say nothing of a few events", async () => {
    const opened = await openTestStore(kind);
    let isDown = true;
    const store: typeof opened.store = {
      ...opened.store,
      read: opened.store.read.bind(opened.store),
      write: (work) => (isDown ? Promise.reject(new Error("disk full")) : opened.store.write(work)),
    };
    const clock: Clock = { now: () => START_MS, monotonic: () => 0 };
    await saveMonitorFiles(
      { store: opened.store, clock },
      "p",
      file(
        "  a: { objective: { latency_ms: 10, target: 0.9 } }\n  b: { objective: { latency_ms: 20, target: 0.9 } }\n  c: { objective: { latency_ms: 10, target: 0.5 } }\n",
      ),
    );
    const watch = createObjectives({ store, clock, log: silentLog, routes: [] });
    // Before anything is known of promises, and while nothing can be written.
    for (let request = 0; request < 5; request++) watch.seen(KEY, { durationMs: 15, outcome: "answered" });
    await assert.rejects(watch.look(PLACE), /disk full/);
    for (let request = 0; request < 5; request++) watch.seen(KEY, { durationMs: 5, outcome: "answered" });
    isDown = false;
    await watch.look(PLACE);
    assert.deepEqual(
      (await watch.states(KEY)).map(({ monitor, count }) => [monitor, count.good, count.total]),
      [
        ["delay.a", 5, 10],
        ["delay.b", 10, 10],
        ["delay.c", 5, 10],
      ],
    );
    assert.deepEqual(await opened.store.read((transaction) => listAlerts(transaction, { project: "p" })), []);
  });

  it("count labels of an endpoint as they come, each answer once", async () => {
    const test = await startMonitoring(kind);
    await test.monitoring.saveMonitors("p", file("  right: { objective: { correct: true, target: 0.9 } }\n"));
    const flights = makeFlights(300, { seed: 3 });
    const ids = await test.play(0, flights, { labels: false });
    await test.monitoring.tick();
    const label = (flip: boolean): Promise<unknown> =>
      test.monitoring.recordLabels({
        ...KEY,
        actor: "ana",
        untilMs: undefined,
        labels: ids.map((id, row) => ({ id, label: flip ? 1 - (flights[row]?.late ?? 0) : (flights[row]?.late ?? 0) })),
      });
    await label(false);
    await label(true);
    await test.monitoring.tick();
    const [state] = await test.monitoring.objectives(KEY);
    const predictions = await Promise.all(
      ids.map(
        async (id) => (await test.store.read((transaction) => getPrediction(transaction, id)))?.prediction ?? NaN,
      ),
    );
    const right = predictions.filter((value, row) => value >= 0.5 === ((flights[row]?.late ?? 0) === 1)).length;
    assert.deepEqual([state?.count.total, state?.count.good], [300, right]);
    assert.ok(Math.abs((state?.budgetLeft ?? 0) - (1 - (300 - right) / 300 / 0.1)) < 1e-9);
  });
});
