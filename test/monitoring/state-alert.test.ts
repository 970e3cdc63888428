import assert from "node:assert/strict";
import { it } from "node:test";
import { listAlerts } from "#metadata-store/monitoring";
import { readExplanation } from "#monitoring";
import { linesOf, titleOf } from "../../src/monitoring/notice-text.ts";
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

describeStores("alerts about approvals and files", (kind) => {
  it("say since when and what to do, in the language of the project", async () => {
    const { store } = await openTestStore(kind);
    const place = { project: "p", environment: "production", endpoint: "delay" };
    const atMs = Date.UTC(2026, 2, 2, 9, 30);
    const damages = [{ file: "model.onnx", problem: "it is missing", endpoints: ["production/delay"] }];
    await store.write(async (transaction) => {
      await alertDamage(transaction, place, { damages, atMs });
      await alertStanding(transaction, { ...place, asset: "delay", versionId: "v", problem: "revoked" }, atMs);
    });
    const alerts = await store.read((transaction) => listAlerts(transaction, { project: "p", limit: 10 }));
    const tell = (monitor: string, event: "opened" | "closed", language?: "pt-BR"): readonly string[] => {
      const alert = alerts.find((each) => each.monitor === monitor) ?? assert.fail(monitor);
      const closed = { ...alert, closeReason: "its approvals stand again" };
      const explanation = readExplanation(alert.explanation);
      const told = { alert: event === "closed" ? closed : alert, event, explanation, link: undefined, language };
      return [titleOf(told), ...linesOf(told).slice(1)];
    };
    assert.deepEqual(tell("store.damage", "opened"), [
      "[open] production/delay: store.damage",
      "Since 2026-03-02 09:30 UTC.",
      "→ See what else is damaged: esteira verify.",
      "→ Bring the damaged files back from a backup, or make the version again.",
    ]);
    assert.deepEqual(tell("delay.approval", "opened", "pt-BR"), [
      "[aberto] production/delay: delay.approval",
      "Desde 2026-03-02 09:30 UTC.",
      "→ Faça aprovar delay de novo, ou traga de volta o que está aprovado.",
    ]);
    assert.deepEqual(tell("delay.approval", "closed", "pt-BR"), [
      "[fechado] production/delay: delay.approval",
      "Fechado: suas aprovações valem de novo.",
    ]);
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
