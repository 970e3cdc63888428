import assert from "node:assert/strict";
import { it } from "node:test";
import { listAlerts, listWindows } from "#metadata-store/monitoring";
import { describeStores } from "../setup/stores.ts";
import { deploy } from "../serving/served.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring, WEEK_MS } from "./watched.ts";

const MONITORS = `
endpoint: delay
min_rows: 100
monitors:
  drift: { drift: { threshold: 0.2 } }
  nulls: { quality: { null_share: 0.1 } }
`;

describeStores("monitors of an endpoint whose log leaves inputs out", (kind) => {
  it("say nothing of these inputs, instead of counting them as missing, and watch the others", async () => {
    const test = await startMonitoring(kind);
    await deploy(test.serving, test.version, { log: { redact: ["origin"] } });
    await test.monitoring.saveMonitors("p", new Map([["monitors/delay.yaml", MONITORS]]));
    await test.play(0, makeFlights(800, { seed: 5, shift: 2000 }));
    await test.monitoring.evaluate({ ...KEY, untilMs: MONDAY_MS + WEEK_MS });
    const [window] = await test.store.read((transaction) => listWindows(transaction, { ...KEY, size: "week" }));
    const subjects = new Set(window?.scores.map(({ subject }) => subject));
    assert.ok(subjects.has("distance") && subjects.has("hour"));
    assert.ok(!subjects.has("origin"));
    const alerts = await test.store.read((transaction) => listAlerts(transaction, { project: "p" }));
    assert.deepEqual([...new Set(alerts.map(({ subject }) => subject))], ["distance"]);
  });
});
