import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";
import { digestOf } from "#base";
import { getAssetVersion, listDirectInputs, listVersionsById } from "#metadata-store";
import type { MadeVersion, StepKind } from "#pipeline";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const report = (asset: string, reads?: readonly string[]): MadeVersion => ({
  asset,
  kind: "report",
  digest: digestOf(asset),
  content: {},
  ...(reads === undefined ? {} : { reads }),
});

/** Makes one report, or three of which the later ones are made from what its own versions say. */
const kind: StepKind<{ make: string; inputs?: readonly string[] | undefined }> = {
  name: "make",
  load: "data",
  schema: z.strictObject({ make: z.string(), inputs: z.array(z.string()).optional() }),
  describe: ({ make }) => make,
  analyse: ({ make, inputs = [] }) =>
    Promise.resolve({
      inputs: inputs.map((asset) => ({ asset, role: "input", path: [] })),
      makes: make.split(" ").map((asset) => ({ asset, kind: "report" as const })),
      files: [],
      problems: [],
    }),
  execute: ({ declaration: { make } }) =>
    Promise.resolve({
      status: "succeeded" as const,
      made: make === "a b c" ? [report("a", ["x"]), report("b", ["a", "y"]), report("c")] : [report(make)],
    }),
};

describeStores("what a step makes", (store) => {
  it("is made from all its inputs, or from those inputs and earlier versions that its kind names", async () => {
    const project = await createTestProject(
      store,
      {
        "pipelines/p.yaml": "steps:\n  x: { make: x }\n  y: { make: y }\n  several: { make: a b c, inputs: [x, y] }\n",
      },
      [kind as StepKind<never>],
    );
    await project.register();
    const engine = project.engine();
    const run = await engine.runToEnd(await engine.submit({ pipeline: "p", actor: "ana" }));
    assert.equal(run.status, "succeeded");
    const madeFrom = (asset: string) =>
      project.store.read(async (transaction) => {
        const version = await getAssetVersion(transaction, { project: "p", asset });
        const id = version?.id ?? "";
        const inputs = (await listDirectInputs(transaction, [id])).get(id) ?? [];
        const read = await listVersionsById(
          transaction,
          inputs.map(({ versionId }) => versionId),
        );
        return [...read.values()].map(({ asset }) => asset).sort();
      });
    assert.deepEqual(await madeFrom("a"), ["x"]);
    assert.deepEqual(await madeFrom("b"), ["a", "y"]);
    assert.deepEqual(await madeFrom("c"), ["x", "y"]);
  });
});
