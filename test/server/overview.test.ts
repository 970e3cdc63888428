// What the home page and the lists say of a store that is larger than any page of them.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { openStorePlatform, type Platform } from "#app";
import { digestOf, silentLog } from "#base";
import { loadProjectConfig, readSettings } from "#config";
import { recordAssetVersion, type NewAssetVersion } from "#metadata-store";
import { recordVerdict } from "#metadata-store/governance";
import { createModelVersion, createRegisteredModel, setRegisteredModelAlias } from "#metadata-store/registry";
import { type ApiCall, callApi } from "#server";
import type { CallName } from "#api";
import { temporaryFolder } from "../setup/stores.ts";

const DATASETS = 1250;
const MODELS = 1100;
const CAPTURED = 30;

async function openProject(files: Readonly<Record<string, string>>): Promise<{
  readonly platform: Platform;
  call<Name extends CallName>(
    name: Name,
    request?: Partial<ApiCall<Name>["request"]>,
  ): Promise<ApiCall<Name>["response"]>;
}> {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  for (const [path, text] of Object.entries(files)) await writeFile(join(folder, path), text);
  const opened = await openStorePlatform({
    config: await loadProjectConfig(folder),
    isProject: true,
    settings: readSettings({}),
    log: silentLog,
  });
  after(() => opened.close());
  const platform = await opened.whole();
  const identity = { name: "ana", kind: "local" as const, roles: [{ project: "*", role: "admin" as const }] };
  return {
    platform,
    call: (name, request) => callApi(platform, name, { identity, signal: new AbortController().signal, ...request }),
  };
}

function modelContent(): object {
  return {
    format: "model/1",
    model: { task: "binary_classification", runtime: "onnx", inputs: [], outputs: [] },
    record: { madeBy: { actor: "ana" }, metrics: { roc_auc: 0.7 }, features: [], source: {}, hyperparameters: {} },
    tree: { files: [] },
  };
}

describe("a project with more assets than a page holds", async () => {
  it("is counted exactly at home, and its lists lead to every one", async () => {
    const steps = Array.from(
      { length: CAPTURED },
      (_, index) => `  raw_${String(index).padStart(4, "0")}: { capture: { files: "in/${index}-*.csv" } }`,
    ).join("\n");
    const { platform, call } = await openProject({
      "esteira.yaml": "name: big\n",
      "pipelines/p.yaml": `steps:\n${steps}\n`,
    });
    await platform.registerProject("ana");
    const base = { project: "big", madeAtMs: 1000, actor: "ana", inputs: [] } as const;
    const record = (
      made: Pick<NewAssetVersion, "asset" | "kind" | "content" | "digest" | "rowCount">,
    ): Promise<string> =>
      platform.store.write(
        async (transaction) => (await recordAssetVersion(transaction, { ...base, ...made })).version.id,
      );
    await Promise.all(
      Array.from({ length: DATASETS }, (_, index) => {
        // The captured ones come last by name.
        const asset =
          index < CAPTURED ? `raw_${String(index).padStart(4, "0")}` : `data_${String(index).padStart(4, "0")}`;
        return record({ asset, kind: "data", digest: digestOf(asset), rowCount: 10, content: { columns: [] } });
      }),
    );
    await record({ asset: "raw_0000", kind: "data", digest: digestOf("more"), rowCount: 25, content: { columns: [] } });
    const models = await Promise.all(
      Array.from({ length: MODELS }, (_, index) =>
        record({
          asset: `model_${String(index).padStart(4, "0")}`,
          kind: "model",
          digest: digestOf(`m${index}`),
          rowCount: undefined,
          content: modelContent(),
        }),
      ),
    );
    await record({
      asset: "model_0000",
      kind: "model",
      digest: digestOf("second"),
      rowCount: undefined,
      content: modelContent(),
    });
    await platform.store.write(async (transaction) => {
      for (const [index, versionId] of models.entries()) {
        if (index % 2 === 0)
          await recordVerdict(transaction, {
            versionId,
            project: "big",
            passed: index % 4 === 0,
            atMs: 1,
            stepRunId: undefined,
            content: { metrics: {} },
          });
      }
    });
    await platform.store.write(async (transaction) => {
      await createRegisteredModel(transaction, {
        project: "big",
        name: "model_0000",
        atMs: 1,
        actor: "ana",
        whenExists: "keep",
      });
      await createModelVersion(transaction, {
        name: "model_0000",
        source: "models:/x",
        assetVersionId: models[0],
        tags: [],
        atMs: 1,
        actor: "ana",
        runId: undefined,
      });
      await setRegisteredModelAlias(transaction, {
        name: "model_0000",
        alias: "champion",
        version: 1,
        atMs: 1,
        actor: "ana",
      });
    });
    const [first] = (await call("listModels", { query: { limit: 2 } })).items;
    assert.deepEqual(
      [
        first?.versionCount,
        first?.latest?.version,
        first?.latest?.verdict,
        first?.champion?.version,
        first?.champion?.verdict,
        first?.champion?.aliases,
      ],
      [2, 2, "none", 1, "passed", ["champion"]],
    );
    const { stations } = await call("getOverview");
    const counts = Object.fromEntries(
      stations.map(({ name, counts: own }) => [
        name,
        Object.fromEntries(own.map((count) => [count.name, count.value])),
      ]),
    );
    assert.deepEqual(counts["capture"], {
      datasets: CAPTURED,
      versions: CAPTURED + 1,
      rows: CAPTURED * 10 + 15,
      quarantined: 0,
    });
    assert.deepEqual(counts["transform"], { datasets: DATASETS - CAPTURED, rows: (DATASETS - CAPTURED) * 10 });
    assert.deepEqual(counts["registry"], { models: MODELS, model_versions: MODELS + 1 });
    assert.deepEqual(counts["test"], { passed: MODELS / 4, refused: MODELS / 4 });
    for (const [name, expected] of [
      ["listDatasets", DATASETS],
      ["listModels", MODELS],
    ] as const) {
      const found = new Set<string>();
      let next: string | undefined;
      do {
        const page: { readonly items: readonly { readonly name: string }[]; readonly next?: string | undefined } =
          await call(name, { query: { limit: 200, ...(next === undefined ? {} : { after: next }) } });
        for (const item of page.items) found.add(item.name);
        next = page.next;
      } while (next !== undefined);
      assert.equal(found.size, expected, name);
    }
  });
});
