import assert from "node:assert/strict";
import { it } from "node:test";
import { listAlerts } from "#metadata-store/monitoring";
import { alertStanding } from "../../src/monitoring/approval-alert.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

describeStores("what runs without its approvals", (kind) => {
  it("is one alert until they stand again", async () => {
    const { store } = await openTestStore(kind);
    const facts = { project: "p", environment: "production", asset: "delay", endpoint: "delay", versionId: "v" };
    const look = async (problem: string | undefined, atMs: number): Promise<readonly string[]> => {
      await store.write((transaction) => alertStanding(transaction, { ...facts, problem }, atMs));
      const alerts = await store.read((transaction) => listAlerts(transaction, { project: "p", limit: 10 }));
      return alerts.map(({ state, message }) => `${state}: ${message}`);
    };
    assert.deepEqual(await look(undefined, 1), []);
    assert.deepEqual(await look("delay needs an approval", 2), ["open: delay needs an approval"]);
    assert.deepEqual(await look("delay needs an approval", 7_200_000), ["open: delay needs an approval"]);
    assert.deepEqual(await look(undefined, 7_200_001), ["closed: delay needs an approval"]);
    assert.equal((await look("revoked", 10_800_001)).length, 2);
  });
});
