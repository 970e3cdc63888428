// Lists that are longer than an answer: each is read on, or its count stands beside it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf, newId } from "#base";
import { recordAssetVersion, type WriteTransaction } from "#metadata-store";
import { endDeployment, insertDeployment, insertRelease, setDeployed } from "#metadata-store/delivery";
import { openAlert, replaceMonitors } from "#metadata-store/monitoring";
import { createRegisteredModel } from "#metadata-store/registry";
import type { CallName } from "#api";
import { type ApiCall, callApi } from "#server";
import { openTestServer } from "../setup/opened-server.ts";

const identity = { name: "ana", kind: "local" as const, roles: [{ project: "*", role: "admin" as const }] };
const PROJECT = "p";

function modelContent(): object {
  return {
    format: "model/1",
    model: { task: "binary_classification", runtime: "onnx", inputs: [], outputs: [] },
    record: {
      madeBy: { actor: "ana" },
      metrics: { roc_auc: 0.7 },
      features: [],
      source: {},
      hyperparameters: {},
    },
    tree: { files: [] },
  };
}

async function deploy(transaction: WriteTransaction, asset: string, atMs: number): Promise<string> {
  const made = { project: PROJECT, asset, kind: "code", digest: digestOf(`${asset}${atMs}`), content: {}, inputs: [] };
  const { version } = await recordAssetVersion(transaction, {
    ...made,
    kind: "code",
    madeAtMs: atMs,
    actor: "ana",
    rowCount: undefined,
  });
  const of = { project: PROJECT, environment: "production", asset };
  const release = await insertRelease(transaction, {
    ...of,
    id: newId(),
    versionId: version.id,
    createdAtMs: atMs,
    createdBy: "ana",
    settings: {},
    versions: [{ versionId: version.id, asset, kind: "code", digest: version.digest, role: "deployed" }],
  });
  const deployment = await insertDeployment(transaction, {
    ...of,
    id: newId(),
    releaseId: release.id,
    reason: "deploy",
    idempotencyKey: newId(),
    stepRunId: undefined,
    actor: "ana",
    startedAtMs: atMs,
  });
  await endDeployment(transaction, { id: deployment.id, status: "succeeded", atMs });
  await setDeployed(transaction, {
    ...of,
    deploymentId: deployment.id,
    releaseId: release.id,
    versionId: version.id,
    atMs,
  });
  return release.id;
}

describe("lists that are longer than an answer", async () => {
  const { platform: opened } = await openTestServer({ yaml: "environments: { production: {} }\n" });
  const platform = await opened.whole();
  const { store } = platform;
  const call = <Name extends CallName>(
    name: Name,
    request: Partial<ApiCall<Name>["request"]> = {},
  ): Promise<ApiCall<Name>["response"]> =>
    callApi(platform, name, { identity, signal: new AbortController().signal, ...request });

  it("an environment shows what has run for long, however often the others were deployed since", async () => {
    const first = await store.write((transaction) => deploy(transaction, "site", 1));
    const releases: string[] = [];
    for (let at = 2; at <= 122; at++)
      releases.push(await store.write((transaction) => deploy(transaction, "shop", at)));
    const { items } = await call("listEnvironments");
    const live = items.find(({ name }) => name === "production")?.live ?? [];
    assert.deepEqual(
      live.map(({ id, asset, status }) => [id, asset, status]),
      [
        [releases.at(-1), "shop", "live"],
        [first, "site", "live"],
      ],
    );
    // What a release replaced, what took its place, and where a rollback of the live one goes.
    assert.deepEqual(
      [live[0]?.replaces, live[0]?.before?.id, live[1]?.before],
      [releases.at(-2), releases.at(-2), undefined],
    );
    const [, second] = (await call("listReleases", { query: { limit: 2, asset: "shop" } })).items;
    assert.deepEqual(
      [second?.id, second?.status, second?.untilMs, second?.replaces, second?.before],
      [releases.at(-2), "superseded", 122, releases.at(-3), undefined],
    );
  });

  it("monitors of one name in two environments are both listed, wherever a page ends", async () => {
    const declaration = { name: "delay.drift", endpoint: "delay", window: "week", rule: { drift: { threshold: 0.2 } } };
    const monitors = ["production", "staging"].flatMap((environment) =>
      ["delay.a", "delay.b"].map((name) => ({
        project: PROJECT,
        environment,
        name,
        endpoint: "delay",
        declaration: { ...declaration, name },
        file: "monitors/delay.yaml",
        updatedAtMs: 1,
      })),
    );
    await store.write((transaction) => replaceMonitors(transaction, PROJECT, monitors));
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await call("listMonitors", { query: { limit: 1, ...(after === undefined ? {} : { after }) } });
      for (const { name, environment } of page.items) found.push(`${name} ${environment}`);
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(found, ["delay.a production", "delay.a staging", "delay.b production", "delay.b staging"]);
  });

  it("home says how many alerts are open beside the first of them", async () => {
    const breach = { project: PROJECT, environment: "production", endpoint: "delay", monitor: "delay.a" };
    await store.write(async (transaction) => {
      for (let index = 0; index < 25; index++)
        await openAlert(transaction, {
          ...breach,
          metric: "drift.psi",
          subject: `column_${index}`,
          segment: "",
          value: 0.3,
          threshold: 0.2,
          windowStartMs: 0,
          windowEndMs: 1,
          n: 10,
          modelVersionId: undefined,
          message: "drifted",
          atMs: 1,
          targets: [],
        });
    });
    const { openAlerts, openAlertCount } = await call("getOverview");
    assert.deepEqual([openAlerts.length, openAlertCount], [20, 25]);
    const monitors = (await call("listMonitors", { query: { limit: 100 } })).items;
    assert.equal(monitors.filter(({ name, state }) => name === "delay.a" && state === "alert").length, 25);
  });

  it("every version of a model is listed, page after page", async () => {
    await store.write(async (transaction) => {
      await createRegisteredModel(transaction, { project: PROJECT, name: "late", atMs: 1, actor: "ana" });
      for (let index = 0; index < 230; index++)
        await recordAssetVersion(transaction, {
          project: PROJECT,
          asset: "late",
          kind: "model",
          digest: digestOf(`late ${index}`),
          content: modelContent(),
          inputs: [],
          madeAtMs: index,
          actor: "ana",
          rowCount: undefined,
        });
    });
    const detail = await call("getModel", { params: { name: "late" } });
    assert.deepEqual([detail.versions.length, detail.versionCount], [200, 230]);
    const found: number[] = [];
    let after: string | undefined;
    do {
      const query = { limit: 100, ...(after === undefined ? {} : { after }) };
      const page = await call("listModelVersions", { params: { name: "late" }, query });
      for (const { version } of page.items) found.push(version);
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(
      found,
      Array.from({ length: 230 }, (_, index) => 230 - index),
    );
  });
});
