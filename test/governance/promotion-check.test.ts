import assert from "node:assert/strict";
import { it } from "node:test";
import { digestOf } from "#base";
import { createPromotionCheck } from "#governance";
import { type AssetVersion, recordAssetVersion, type WriteTransaction } from "#metadata-store";
import { setDeployed } from "#metadata-store/delivery";
import { createModelVersion, createRegisteredModel, type ModelVersion } from "#metadata-store/registry";
import { describeStores, openTestStore } from "../setup/stores.ts";

describeStores("protected aliases", (kind) => {
  it("move by hand only to the version that production runs", async () => {
    const { store } = await openTestStore(kind);
    const make = async (
      tx: WriteTransaction,
      text: string,
    ): Promise<{ readonly asset: AssetVersion; readonly model: ModelVersion }> => {
      const { version: asset } = await recordAssetVersion(tx, {
        project: "p",
        asset: "delay",
        kind: "model",
        digest: digestOf(text),
        madeAtMs: 1,
        actor: "ana",
        content: {},
        inputs: [],
      });
      await createRegisteredModel(tx, { project: "p", name: "delay", atMs: 1, actor: "ana", whenExists: "keep" });
      return {
        asset,
        model: await createModelVersion(tx, {
          name: "delay",
          source: "runs:/r/m",
          assetVersionId: asset.id,
          atMs: 1,
          actor: "ana",
        }),
      };
    };
    const [first, second] = await store.write(async (tx) => [await make(tx, "1"), await make(tx, "2")] as const);
    await store.write((tx) =>
      setDeployed(tx, {
        project: "p",
        environment: "production",
        asset: "delay",
        deploymentId: "d",
        releaseId: "r",
        versionId: first.asset.id,
        atMs: 1,
      }),
    );
    const refuse = (
      version: ModelVersion | undefined,
    ): Promise<{ readonly reason: string; readonly hint: string } | undefined> =>
      store.read((tx) =>
        createPromotionCheck().refuse(tx, { name: "delay", alias: "champion", version, actor: "ana" }),
      );
    assert.equal(await refuse(first.model), undefined);
    const refused = await refuse(second.model);
    assert.match(refused?.reason ?? "", /version 2 is not deployed there/);
    assert.ok(refused?.hint.includes(`esteira approve ${second.asset.digest} --environment production`));
    assert.match((await refuse(undefined))?.reason ?? "", /not taken away by hand/);
  });
});
