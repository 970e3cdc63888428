import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import { digestOf, newId, silentLog, systemClock } from "#base";
import { createDelivery, createPreviews, type Previews } from "#delivery";
import { createServices } from "#executors";
import { createApprovalCheck } from "#governance";
import { listAssets, type MetadataStore, recordAssetVersion, type StoreKind } from "#metadata-store";
import { insertDeployment, insertRelease, listDeployed, savePullRequest, setDeployed } from "#metadata-store/delivery";
import { environmentOfPreview, projectOfPreview } from "#pipeline";
import { describeStores, openTestStore } from "../setup/stores.ts";

const PROJECT = "p";
const DAY_MS = 24 * 3600 * 1000;
const PREVIEW = "new-words";

async function open(kind: StoreKind): Promise<{ readonly store: MetadataStore; readonly previews: Previews }> {
  const { store, objects, folder } = await openTestStore(kind);
  const delivery = createDelivery({
    approvals: createApprovalCheck({ store, objects, clock: systemClock }),
    store,
    objects,
    services: createServices({ folder: join(folder, "services") }),
    models: {
      deploy: () => Promise.reject(new Error("nothing is deployed here")),
      current: async () => undefined,
      remove: async () => {},
    },
    environments: [],
    folder: join(folder, "releases"),
    searchPath: "/usr/bin:/bin",
    clock: systemClock,
    log: silentLog,
  });
  const parts = { store, project: PROJECT, delivery, clock: systemClock, log: silentLog };
  return { store, previews: createPreviews({ ...parts, keepMs: 14 * DAY_MS }) };
}

function told(number: number, state: "open" | "closed"): Parameters<typeof savePullRequest>[1] {
  return {
    project: PROJECT,
    number,
    preview: PREVIEW,
    title: "New words",
    author: "ana",
    branch: PREVIEW,
    base: number === 1 ? "main" : "next",
    commit: "c0ffee",
    url: "",
    isOutside: false,
    state,
    atMs: Date.now(),
  };
}

async function keepModel(store: MetadataStore, project: string, asset: string): Promise<string> {
  const { version } = await store.write((transaction) =>
    recordAssetVersion(transaction, {
      project,
      asset,
      kind: "model",
      digest: digestOf(asset),
      madeAtMs: Date.now(),
      actor: "ana",
      content: { format: "model/1" },
      inputs: [],
    }),
  );
  return version.id;
}

/** A model that runs in the environment of the preview. */
async function putLive(store: MetadataStore): Promise<void> {
  const versionId = await keepModel(store, PROJECT, "delay");
  const environment = environmentOfPreview({ name: PREVIEW });
  const [deploymentId, releaseId] = [newId(), newId()];
  await store.write(async (transaction) => {
    const of = { project: PROJECT, environment, asset: "delay" };
    await insertRelease(transaction, {
      ...of,
      id: releaseId,
      versionId,
      createdAtMs: 1,
      createdBy: "ana",
      settings: { target: "model", endpoint: "delay" },
      versions: [],
    });
    await insertDeployment(transaction, {
      ...of,
      id: deploymentId,
      releaseId,
      reason: "deploy",
      idempotencyKey: deploymentId,
      stepRunId: undefined,
      actor: "ana",
      startedAtMs: 1,
    });
    await setDeployed(transaction, { ...of, deploymentId, releaseId, versionId, atMs: Date.now() });
  });
}

describeStores("the removal of a preview", (kind) => {
  it("leaves what another pull request of its branch goes on with", async () => {
    const { store, previews } = await open(kind);
    const environment = environmentOfPreview({ name: PREVIEW });
    const data = projectOfPreview(PROJECT, { name: PREVIEW });
    const live = (): Promise<number> =>
      store.read(async (transaction) => (await listDeployed(transaction, { project: PROJECT, environment })).length);
    const kept = (): Promise<number> =>
      store.read(async (transaction) => (await listAssets(transaction, { project: data })).length);
    await store.write(async (transaction) => {
      await savePullRequest(transaction, told(1, "open"));
      await savePullRequest(transaction, told(2, "open"));
    });
    await putLive(store);
    await keepModel(store, data, "words");
    await previews.remove(PREVIEW, "ana");
    assert.deepEqual([await live(), await kept()], [1, 1]);
    await previews.remove(PREVIEW, "ana");
    assert.deepEqual([await live(), await kept()], [0, 0]);
    assert.deepEqual(await previews.list(), []);
  });

  it("drops all of its data, however much it is", async () => {
    const { store, previews } = await open(kind);
    const data = projectOfPreview(PROJECT, { name: PREVIEW });
    await store.write((transaction) => savePullRequest(transaction, told(1, "closed")));
    for (let at = 0; at < 1001; at++) await keepModel(store, data, `m${at}`);
    assert.equal(await previews.sweep(), 1);
    assert.deepEqual(await store.read((transaction) => listAssets(transaction, { project: data })), []);
  });
});
