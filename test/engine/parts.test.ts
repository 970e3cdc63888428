import assert from "node:assert/strict";
import { it } from "node:test";
import { getPipelineRun, readLog } from "#engine";
import { createTestProject } from "../setup/engine.ts";
import { describeStores } from "../setup/stores.ts";

const PART = `inputs:
  table: { type: string }
  note: { type: string, default: "it's \\"fine\\"; ção" }
outputs: { rows: "\${{ steps.count.outputs.rows }}" }
steps:
  count:
    run: |
      echo "counting \${{ inputs.table }}: $NOTE"
      echo "rows=\${{ inputs.table }}-7" >> "$ESTEIRA_OUTPUT"
    env: { NOTE: "\${{ inputs.note }}" }
    outputs: rows
    files: [data.txt]
  tell: { run: "echo told \${{ steps.count.outputs.rows }}" }
`;

describeStores("steps of parts", (kind) => {
  it("run, give outputs, are reused, and run again when their part or their input changes", async () => {
    const project = await createTestProject(kind, {
      "data.txt": "1",
      "pipelines/parts/count.yaml": PART,
      "pipelines/p.yaml": `steps:
  orders: { uses: ./pipelines/parts/count.yaml, with: { table: orders } }
  items: { uses: ./pipelines/parts/count.yaml, with: { table: items } }
  all: { run: 'echo \${{ steps.orders.outputs.rows }} \${{ steps.items.outputs.rows }}' }
`,
    });
    const run = async () => {
      await project.register();
      const engine = project.engine();
      const id = await engine.submit({ pipeline: "p", actor: "ana" });
      const { status, error } = await engine.runToEnd(id);
      assert.equal(status, "succeeded", JSON.stringify(error));
      const { stepRuns } = await getPipelineRun(project.store, id);
      return {
        cached: stepRuns.filter(({ cached }) => cached).map(({ step }) => step),
        logOf: async (step: string) => {
          const stepRunId = stepRuns.find((each) => each.step === step)?.id ?? "";
          return (await readLog(project, { stepRunId })).pieces.map(({ text }) => text).join("");
        },
      };
    };
    const first = await run();
    assert.deepEqual(first.cached, []);
    assert.equal(await first.logOf("orders_count"), `counting orders: it's "fine"; ção\n`);
    assert.equal(await first.logOf("orders_tell"), "told orders-7\n");
    assert.equal(await first.logOf("all"), "orders-7 items-7\n");
    await project.write("pipelines/parts/count.yaml", `# only a remark\n${PART}`);
    assert.deepEqual((await run()).cached.toSorted(), ["items_count", "orders_count"]);
    await project.write(
      "pipelines/p.yaml",
      `steps:
  orders: { uses: ./pipelines/parts/count.yaml, with: { table: orders, note: new } }
  items: { uses: ./pipelines/parts/count.yaml, with: { table: items } }
`,
    );
    assert.deepEqual((await run()).cached, ["items_count"]);
    await project.write("pipelines/parts/count.yaml", PART.replace("counting", "counted"));
    assert.deepEqual((await run()).cached, []);
  });
});
