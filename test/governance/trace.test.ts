import assert from "node:assert/strict";
import { it } from "node:test";
import { digestOf, isEsteiraError, newId } from "#base";
import { traceDownstream, tracePrediction, traceVersion } from "#governance";
import { type AssetVersion, type NewAssetVersion, recordAssetVersion } from "#metadata-store";
import { recordPredictions } from "#metadata-store/serving";
import { openTestPredictions } from "../setup/predictions.ts";
import { describeStores, openTestStore } from "../setup/stores.ts";

describeStores("traces", (kind) => {
  it("lead from a prediction back to model, training data, captured files and commit", async () => {
    const { store } = await openTestStore(kind);
    const make = async (
      asset: string,
      assetKind: NewAssetVersion["kind"],
      inputs: readonly AssetVersion[],
      content: object = {},
    ): Promise<AssetVersion> => {
      const made = {
        project: "p",
        asset,
        kind: assetKind,
        digest: digestOf(asset),
        madeAtMs: 1,
        actor: "ana",
        content,
        inputs: inputs.map(({ id }) => ({ versionId: id, role: "input" })),
      };
      return (await store.write((tx) => recordAssetVersion(tx, made))).version;
    };
    const file = { path: "data/week-01.parquet", digest: digestOf("file"), rows: 10 };
    const raw = await make("raw", "data", [], { captured: [file] });
    const view = await make("airport_day", "features", [raw]);
    const training = await make("training_set", "data", [view, raw]);
    const notebook = await make("train", "notebook", []);
    const model = await make("delay", "model", [training, notebook], {
      record: { commit: { id: "0123456789abcdef", dirty: false } },
    });
    const predictions = await openTestPredictions(store);
    const id = newId();
    await store.write((tx) =>
      recordPredictions(tx, [
        {
          id,
          project: "p",
          environment: "production",
          endpoint: "delay",
          modelVersionId: model.id,
          arm: "stable",
          atMs: 2,
          receivedAtMs: 2,
          requestId: "r",
          features: "{}",
          context: undefined,
          prediction: 0.5,
          predictionText: undefined,
          entityKey: undefined,
        },
      ]),
    );
    const trace = await tracePrediction({ store, predictions }, id);
    assert.deepEqual(
      trace.chain.map((node) => node.id),
      [id, model.id, training.id, raw.id, `file:${file.path}@${file.digest}`, "0123456789abcdef"],
    );
    assert.deepEqual(trace.notebookDigests, [notebook.digest]);
    assert.equal(trace.nodes.length, 8);
    assert.ok(trace.edges.some((edge) => edge.from === model.id && edge.to === id));
    assert.deepEqual((await traceDownstream(store, raw.id)).nodes.map(({ label }) => label).sort(), [
      "airport_day",
      "delay",
      "raw",
      "training_set",
    ]);
    await assert.rejects(traceVersion(store, "nothing"), (error) => isEsteiraError(error, "GOVERNANCE_TRACE_UNKNOWN"));
    await assert.rejects(tracePrediction({ store, predictions }, "nothing"), (error) =>
      isEsteiraError(error, "GOVERNANCE_TRACE_UNKNOWN"),
    );
  });

  it("says that there are more files than it counted, and no sum of their rows", async () => {
    const { store } = await openTestStore(kind);
    const of = { project: "p", asset: "raw", kind: "data" as const, madeAtMs: 1, actor: "ana", inputs: [] };
    const last = await store.write(async (tx) => {
      let id = "";
      for (let index = 0; index < 120; index++) {
        const captured = Array.from({ length: 20 }, (_, file) => ({
          path: `data/${index}-${file}.csv`,
          digest: digestOf(`${index}-${file}`),
          rows: 1,
        }));
        const content = { captured, disposition: "append" };
        id = (await recordAssetVersion(tx, { ...of, digest: digestOf(`${index}`), content })).version.id;
      }
      return id;
    });
    const { chain, truncated, nodes } = await traceVersion(store, last);
    const { label, fileCount, hasMoreFiles, rowCount } = chain.at(-1) ?? {};
    assert.deepEqual(
      [label, fileCount, hasMoreFiles, rowCount, truncated, nodes.filter((node) => node.kind === "source_file").length],
      ["one of more than 1000 files", 1000, true, undefined, true, 1000],
    );
  });

  it("names the files of all versions that an appended dataset was added to, back to the last that replaced it", async () => {
    const { store } = await openTestStore(kind);
    const capture = async (name: string, disposition: string): Promise<AssetVersion> => {
      const content = { captured: [{ path: `data/${name}.csv`, digest: digestOf(name), rows: 1 }], disposition };
      return (
        await store.write((tx) =>
          recordAssetVersion(tx, {
            project: "p",
            asset: "raw",
            kind: "data",
            digest: digestOf(name),
            madeAtMs: 1,
            actor: "ana",
            content,
            inputs: [],
          }),
        )
      ).version;
    };
    await capture("before", "append");
    await capture("whole", "replace");
    await capture("first", "append");
    const last = await capture("second", "append");
    await capture("later", "append");
    const trace = await traceVersion(store, last.id);
    assert.deepEqual(
      trace.nodes.filter(({ kind: node }) => node === "source_file").map(({ label }) => label),
      ["data/second.csv", "data/first.csv", "data/whole.csv"],
    );
    // None of them is named: any may hold the rows in question.
    assert.deepEqual(
      [trace.chain.at(-1)?.label, trace.chain.at(-1)?.fileCount, trace.chain.at(-1)?.rowCount],
      ["one of 3 files", 3, 3],
    );
    assert.ok(trace.edges.every(({ to }) => to === last.id));
  });
});
