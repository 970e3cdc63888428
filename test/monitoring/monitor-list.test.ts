// What `GET /api/v1/monitors` and the endpoint's page say of each monitor.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Monitor } from "#api";
import { systemClock } from "#base";
import type { StoreKind } from "#metadata-store";
import { listAlerts } from "#metadata-store/monitoring";
import { createAlertHandlers } from "../../src/server/alerts/alert-handlers.ts";
import { describeStores } from "../setup/stores.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, type TestMonitoring, WEEK_MS } from "./watched.ts";

const MONITORS = `
endpoint: delay
min_rows: 200
monitors:
  drift: { drift: { columns: [distance], method: psi, threshold: 0.2 }, description: Distances change }
  performance: { performance: { metric: roc_auc, drop: 0.05 } }
  floor: { performance: { metric: roc_auc, at_least: 0.1 } }
  quality: { quality: { columns: [origin], unseen: 0.01 } }
`;

async function open(kind: StoreKind): Promise<
  TestMonitoring & {
    list(query?: object): Promise<readonly Monitor[]>;
    named(name: string): Promise<readonly Monitor[]>;
  }
> {
  const test = await startMonitoring(kind);
  await test.monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", MONITORS]]));
  const { listMonitors } = createAlertHandlers({ store: test.store, project: "p", clock: systemClock } as never);
  const list = async (query = {}): Promise<readonly Monitor[]> =>
    ((await listMonitors({ query: { limit: 100, ...query } } as never)) as { readonly items: readonly Monitor[] })
      .items;
  return { ...test, list, named: async (name) => (await list()).filter((monitor) => monitor.name === `delay.${name}`) };
}

const shown = ({ metric, column, threshold, alertWhen, state, lastValue }: Monitor): unknown => [
  metric,
  column,
  threshold,
  alertWhen,
  state,
  lastValue,
];

describeStores("the list of monitors", (kind) => {
  it("shows what each rule watches before any window could be judged", async () => {
    const { list } = await open(kind);
    assert.deepEqual(
      (await list()).map((monitor) => [monitor.name, ...(shown(monitor) as unknown[])]),
      [
        ["delay.drift", "drift.psi", "distance", 0.2, "above", "no_data", undefined],
        ["delay.floor", "roc_auc", undefined, 0.1, "below", "no_data", undefined],
        ["delay.performance", "roc_auc", undefined, undefined, "below", "no_data", undefined],
        ["delay.quality", "unseen", "origin", 0.01, "above", "no_data", undefined],
      ],
    );
  });

  it(
    "shows the metric, threshold, last value and state of the newest judged window, also while newer ones wait for labels",
    { timeout: 180_000 },
    async () => {
      const test = await open(kind);
      await test.play(0, makeFlights(1000, { seed: 5, shift: 500 }));
      await test.play(1, makeFlights(50, { seed: 6 }), { labels: false });
      await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + 2 * WEEK_MS });
      const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
      const drifted = alerts.find(({ metric }) => metric === "drift.psi");
      assert.ok(drifted !== undefined && drifted.value > 0.2);
      assert.deepEqual((await test.named("drift")).map(shown), [
        ["drift.psi", "distance", 0.2, "above", "alert", drifted.value],
      ]);
      const [performance] = await test.named("performance");
      const [floor] = await test.named("floor");
      assert.ok(
        performance?.threshold !== undefined && performance.threshold > 0.5 && performance.lastValue !== undefined,
        JSON.stringify(performance),
      );
      assert.equal(performance.state, alerts.some(({ monitor }) => monitor === "delay.performance") ? "alert" : "ok");
      assert.equal(performance.lastAtMs, MONDAY_MS + WEEK_MS);
      assert.deepEqual(shown(floor as Monitor), ["roc_auc", undefined, 0.1, "below", "ok", performance.lastValue]);
      assert.deepEqual((await test.named("quality")).map(shown), [["unseen", "origin", 0.01, "above", "ok", 0]]);
      assert.deepEqual(
        (await test.named("drift")).map(({ description, window, subject, environment }) => [
          description,
          window,
          subject,
          environment,
        ]),
        [["Distances change", "week", "delay", KEY.environment]],
      );
    },
  );

  it("gives whole monitors a page", async () => {
    const { list } = await open(kind);
    assert.deepEqual(
      (await list({ limit: 2 })).map(({ name }) => name),
      ["delay.drift", "delay.floor"],
    );
    assert.deepEqual(
      (await list({ limit: 2, after: "delay.floor/production" })).map(({ name }) => name),
      ["delay.performance", "delay.quality"],
    );
  });
});
