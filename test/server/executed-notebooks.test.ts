// Several executions of one notebook: each is opened with its own outputs.
import assert from "node:assert/strict";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { exportModelPackage } from "#app";
import type { ModelVersionRecord, NotebookVersion, Page, PipelineRunDetail, StepRun } from "#api";
import { readPackage, unpackPackage } from "#packaging";
import { notebookText } from "../notebooks/notebook-text.ts";
import { openTestServer, type OpenedServer } from "../setup/opened-server.ts";
import { openTestStore, storeKinds, temporaryFolder } from "../setup/stores.ts";

const MODELS = resolve(import.meta.dirname, "../serving/models");

const CELLS = [
  { source: "depth: int = 1\n", tags: ["parameters"] },
  {
    source: [
      "import shutil\n",
      "import esteira\n",
      'said = f\'depth {esteira.params["depth"]}, data {esteira.input("raw").version}\'\n',
      "print(said)\n",
      "made = esteira.output('fit')\n",
      "shutil.copy('model.onnx', made / 'model.onnx')\n",
      "shutil.copy('model.json', made / 'model.json')\n",
      "(made / 'note.txt').write_text(said)\n",
    ],
  },
];

const PIPELINE = `
params: { depth: 1 }
steps:
  raw: { capture: { files: "data/*.csv" } }
  fit: { notebook: notebooks/fit.ipynb, params: { depth: "\${{ params.depth }}" }, files: [model.onnx, model.json], makes: model }
`;

interface Work extends OpenedServer {
  read<Answer>(path: string): Promise<Answer>;
  /** Runs the pipeline to its end; the step run of the notebook. */
  run(params: object): Promise<StepRun>;
}

function textOf({ cells }: NotebookVersion): string {
  return cells.flatMap(({ outputs }) => outputs.map(({ data }) => data)).join("\n");
}

// On one database: each start makes a Python environment.
describe("executions of one notebook", () => {
  async function openWork(): Promise<Work> {
    const { address } = await openTestStore(storeKinds[0] ?? "sqlite");
    const opened = await openTestServer({
      yaml: `store: { metadata: ${JSON.stringify(address)} }\n`,
      start: true,
      prepare: async (folder) => {
        for (const name of ["pipelines", "notebooks", "data"]) await mkdir(join(folder, name));
        const { model } = JSON.parse(await readFile(join(MODELS, "late-by-columns.json"), "utf8")) as {
          readonly model: object;
        };
        await writeFile(join(folder, "model.json"), JSON.stringify(model));
        await copyFile(join(MODELS, "late-by-columns.onnx"), join(folder, "model.onnx"));
        await writeFile(join(folder, "notebooks/fit.ipynb"), notebookText(CELLS));
        await writeFile(join(folder, "pipelines/fit.yaml"), PIPELINE);
        await writeFile(join(folder, "data/a.csv"), "id\n1\n2\n");
      },
    });
    const read = async <Answer>(path: string): Promise<Answer> => {
      const answer = await fetch(`${opened.url}/api/v1${path}`);
      assert.equal(answer.status, 200, await answer.clone().text());
      return (await answer.json()) as Answer;
    };
    const run = async (params: object): Promise<StepRun> => {
      const started = await fetch(`${opened.url}/api/v1/pipelines/fit/runs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ params }),
      });
      assert.equal(started.status, 200, await started.clone().text());
      const { id } = (await started.json()) as { readonly id: string };
      for (;;) {
        const { status: now } = await read<PipelineRunDetail>(`/pipeline-runs/${id}`);
        if (["succeeded", "failed", "cancelled"].includes(now)) break;
        await new Promise((done) => setTimeout(done, 50));
      }
      const { items } = await read<Page<StepRun>>(`/pipeline-runs/${id}/step-runs`);
      const fit = items.find(({ step }) => step === "fit");
      assert.equal(fit?.status, "succeeded", JSON.stringify(items.map(({ error }) => error)));
      return fit as StepRun;
    };
    return { ...opened, read, run };
  }

  it("each step run and each model version opens its own cells and outputs, and what is exported names that execution", async () => {
    const { read, run, folder, platform } = await openWork();
    const first = await run({});
    await writeFile(join(folder, "data/b.csv"), "id\n3\n");
    const second = await run({ depth: 2 });
    const reused = await run({ depth: 2 });
    assert.deepEqual(
      [first, second, reused].map(({ cached }) => cached),
      [false, false, true],
    );

    const expected = [
      [first, "depth 1, data 1"],
      [second, "depth 2, data 2"],
      [reused, "depth 2, data 2"],
    ] as const;
    const version = first.facts["notebookVersionId"] as string;
    for (const [stepRun, text] of expected) {
      assert.equal(stepRun.facts["notebookVersionId"], version, "the source stayed the same");
      const shown = await read<NotebookVersion>(`/notebooks/${version}?stepRun=${stepRun.id}`);
      assert.match(textOf(shown), new RegExp(`^${text}$`, "m"));
      assert.deepEqual(
        [shown.executedDigest, shown.stepRunId, shown.pipelineRunId !== undefined, shown.isExecuted],
        [stepRun.facts["executedNotebook"], stepRun.id, true, true],
      );
      assert.deepEqual(shown.parameters, stepRun.facts["parameters"]);
      assert.equal(shown.cells.at(-1)?.executionCount !== undefined, true);
    }
    assert.equal(new Set(expected.map(([{ facts }]) => facts["executedNotebook"])).size, 2);

    for (const [index, [stepRun, text]] of expected.slice(0, 2).entries()) {
      const { notebook } = await read<ModelVersionRecord>(`/models/fit/versions/${index + 1}`);
      assert.deepEqual([notebook?.versionId, notebook?.stepRunId], [version, stepRun.id]);
      assert.match(
        textOf(await read<NotebookVersion>(`/notebooks/${notebook?.versionId}?stepRun=${notebook?.stepRunId}`)),
        new RegExp(`^${text}$`, "m"),
      );
      const target = join(await temporaryFolder(), "package");
      const layout = join(await temporaryFolder(), "layout");
      await exportModelPackage(await platform.whole(), {
        name: "fit",
        to: layout,
        version: index + 1,
        data: undefined,
      });
      await unpackPackage(await readPackage(layout), target);
      const record = JSON.parse(await readFile(join(target, "record.json"), "utf8")) as {
        readonly source: Record<string, unknown>;
        readonly madeBy: Record<string, unknown>;
      };
      assert.deepEqual(
        [record.madeBy["stepRunId"], record.source["executedNotebook"]],
        [stepRun.id, stepRun.facts["executedNotebook"]],
      );
      assert.ok((await readFile(join(target, "executed.ipynb"), "utf8")).includes(text));
    }
  });
});
