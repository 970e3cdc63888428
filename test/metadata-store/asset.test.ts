import assert from "node:assert/strict";
import { it } from "node:test";
import { digestOf } from "#base";
import {
  getAssetVersion,
  getVersionGraph,
  listAssets,
  listEvents,
  type NewAssetVersion,
  openMetadataStore,
  recordAssetVersion,
} from "#metadata-store";
import { describeStores, openTestStore } from "../setup/stores.ts";

function made(asset: string, content: string, inputs: NewAssetVersion["inputs"] = []): NewAssetVersion {
  return {
    project: "p",
    asset,
    kind: "data",
    digest: digestOf(content),
    madeAtMs: 1_000,
    actor: "engine",
    content: { content },
    inputs,
  };
}

describeStores("asset versions", (kind) => {
  it("number the contents of an asset and make no version of equal content", async () => {
    const { store } = await openTestStore(kind);
    const first = await store.write((tx) => recordAssetVersion(tx, made("flights", "a")));
    const same = await store.write((tx) => recordAssetVersion(tx, made("flights", "a")));
    const second = await store.write((tx) => recordAssetVersion(tx, made("flights", "b")));
    assert.deepEqual(
      [first.version.version, same.version.id, same.created, second.version.version],
      [1, first.version.id, false, 2],
    );
    assert.equal(
      (await store.read((tx) => getAssetVersion(tx, { project: "p", asset: "flights" })))?.digest,
      digestOf("b"),
    );
    assert.equal((await store.read((tx) => listAssets(tx, { project: "p" }))).length, 1);
    assert.equal((await store.read((tx) => listEvents(tx))).length, 2);
  });

  it("number concurrent versions without a gap", async () => {
    const { store, address } = await openTestStore(kind);
    const other = await openMetadataStore(address);
    const stores = [store, other];
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) =>
        stores[index % 2]?.write((tx) => recordAssetVersion(tx, made("d", `c${index}`))),
      ),
    );
    await other.close();
    assert.equal((await store.read((tx) => getAssetVersion(tx, { project: "p", asset: "d" })))?.version, 40);
  });

  it("answer what a version was made from and what was made of it", async () => {
    const { store } = await openTestStore(kind);
    const record = (facts: NewAssetVersion): Promise<string> =>
      store.write((tx) => recordAssetVersion(tx, facts)).then(({ version }) => version.id);
    const raw = await record(made("raw", "r"));
    const clean = await record(made("clean", "c", [{ versionId: raw, role: "input" }]));
    const model = await record(made("model", "m", [{ versionId: clean, role: "input" }]));
    const up = await store.read((tx) => getVersionGraph(tx, model, "upstream"));
    assert.deepEqual(up.versions.map((version) => version.asset).sort(), ["clean", "model", "raw"]);
    const down = await store.read((tx) => getVersionGraph(tx, raw, "downstream"));
    assert.equal(down.edges.length, 2);
  });

  it("keep nothing of a change that throws, and all of the change beside it", async () => {
    const { store } = await openTestStore(kind);
    const failing = store.write(async (tx) => {
      await recordAssetVersion(tx, made("lost", "x"));
      throw new Error("stop");
    });
    const kept = store.write((tx) => recordAssetVersion(tx, made("kept", "x")));
    await assert.rejects(failing, /stop/);
    await kept;
    const names = (await store.read((tx) => listAssets(tx, { project: "p" }))).map((version) => version.asset);
    assert.deepEqual(names, ["kept"]);
  });
});
