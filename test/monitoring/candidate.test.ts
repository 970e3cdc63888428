import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "#base";
import { sourceOfRecords } from "#serving";
import { rolloutsOf, deploy, registerModel } from "../serving/served.ts";
import { KEY, makeFlights, MONDAY_MS, startMonitoring } from "./watched.ts";

const MONITORS = {
  "monitors/delay.yaml": `endpoint: delay\nwindow: week\nmin_rows: 50\nmonitors:\n  late: { drift: { columns: [distance], threshold: 0.3 } }\n`,
};

describe("a candidate's own rows", () => {
  it("are judged by the monitors of the endpoint, although its windows leave them out, and take it back", async () => {
    const test = await startMonitoring("sqlite");
    await test.monitoring.saveMonitors("p", new Map(Object.entries(MONITORS)));
    const { record } = test.version.content as { readonly record: object };
    const candidate = await registerModel(test, "late-by-columns", { record });
    const rollouts = rolloutsOf(test.serving, { store: test.store, watch: test.monitoring });
    await deploy(test.serving, candidate, { strategy: { canary: "50%", rollback_on: "alert" } });
    const predict = async (shift: number, from: number): Promise<void> => {
      const rows = makeFlights(200, { seed: 9, shift });
      await test.serving.endpoints.predict(KEY, {
        source: sourceOfRecords(rows.map(({ distance, hour, origin }) => ({ distance, hour, origin }))),
        entityKeys: rows.map((_, row) => `unit-${from + row}`),
        atMs: rows.map((_, row) => MONDAY_MS + row * 1000),
      });
    };
    await predict(0, 0);
    assert.deepEqual(await test.monitoring.brokenBy(KEY, { versionId: candidate.id }), []);
    assert.deepEqual(await test.monitoring.brokenBy(KEY, { versionId: test.version.id }), []);
    test.forward(61_000);
    await predict(100_000, 200);
    assert.deepEqual(await test.monitoring.brokenBy(KEY, { versionId: candidate.id }), ["delay.late"]);
    assert.equal(await rollouts.settle(), 1);
    const [trial] = await rollouts.report(KEY);
    assert.deepEqual([trial?.outcome, trial?.reason], ["aborted", "monitors"]);
    assert.match(trial?.explanation ?? "", /break the monitor delay\.late/);
    assert.ok((trial?.endedAtMs ?? Infinity) <= systemClock.now());
  });
});
