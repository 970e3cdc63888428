import assert from "node:assert/strict";
import { it } from "node:test";
import { listAlerts } from "#metadata-store/monitoring";
import { alertDamage, alertStanding } from "../../src/monitoring/state-alert.ts";
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

describeStores("an endpoint of damaged files", (kind) => {
  it("is one alert until they are whole again, and no other endpoint's", async () => {
    const { store } = await openTestStore(kind);
    const look = async (endpoint: string, problem: string | undefined): Promise<readonly string[]> => {
      const place = { project: "p", environment: "production", endpoint };
      const damages =
        problem === undefined ? [] : [{ file: "model.onnx", problem, endpoints: ["production/delay", "test/other"] }];
      await store.write((transaction) => alertDamage(transaction, place, { damages, atMs: 2 }));
      const alerts = await store.read((transaction) => listAlerts(transaction, { project: "p", limit: 10 }));
      return alerts.map(
        ({ endpoint, state, message, closeReason = "" }) =>
          `${endpoint} ${[state, closeReason].join(" ").trim()}: ${message}`,
      );
    };
    const message = "files that it is made of are damaged: model.onnx: it is missing";
    assert.deepEqual(await look("delay", "it is missing"), [`delay open: ${message}`]);
    assert.deepEqual(await look("other", "it is missing"), [`delay open: ${message}`]);
    assert.deepEqual(await look("delay", undefined), [`delay closed its files are whole again: ${message}`]);
  });
});
