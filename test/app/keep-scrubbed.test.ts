import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { openStorePlatform } from "#app";
import { digestOf, silentLog } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import { recordAssetVersion } from "#metadata-store";
import { listAlerts } from "#metadata-store/monitoring";
import { saveEndpoint } from "#metadata-store/serving";
import { callApi } from "#server";
import { findLastVerification } from "#upkeep";
import { keepScrubbed } from "../../src/app/keep-scrubbed.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("damage that a server finds is on the first page, and an alert of the endpoint that it is in", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "esteira.yaml"), "name: p\nverify: { every: 7d, rate: 1 GiB }\n");
  const opened = await openStorePlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings({}),
    log: silentLog,
  });
  after(() => opened.close());
  const { store, objects } = opened;
  const { digest } = await objects.put("weights");
  await store.write(async (tx) => {
    const { version } = await recordAssetVersion(tx, {
      project: "p",
      asset: "delay",
      kind: "model",
      inputs: [],
      actor: "ana",
      content: { format: "model/1", tree: { files: [{ path: "m", digest, sizeBytes: 7 }] } },
      digest: digestOf("delay"),
      madeAtMs: 1,
    });
    for (const [endpoint, modelVersionId] of [
      ["delay", version.id],
      ["other", "another"],
    ] as const)
      await saveEndpoint(tx, {
        project: "p",
        environment: "production",
        endpoint,
        action: "deploy",
        modelVersionId,
        candidateVersionId: undefined,
        strategy: { kind: "direct" },
        actor: "ana",
        atMs: 1,
        operationId: endpoint,
      });
  });
  const file = `objects/sha256/${digest.slice(7, 9)}/${digest.slice(9)}`;
  await writeFile(join(opened.config.storeFolder, file), "WEIGHTS");
  const end = keepScrubbed(opened, { firstMs: 1 });
  const alerts = () => store.read((tx) => listAlerts(tx, { project: "p", states: ["open"], limit: 10 }));
  while ((await alerts()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  await end();
  assert.deepEqual(
    (await alerts()).map(({ endpoint, monitor }) => [endpoint, monitor]),
    [["delay", "store.damage"]],
  );
  assert.equal((await findLastVerification(store))?.damaged, 1);
  const identity = { name: "ana", kind: "local" as const, roles: [{ project: "*", role: "admin" as const }] };
  const request = { identity, signal: new AbortController().signal };
  const { damage } = await callApi(await opened.whole(), "getOverview", request);
  assert.deepEqual([damage?.count, damage?.files.map((each) => each.file)], [1, [file]]);
});
