// A Python model behind an endpoint: published as a step leaves it, deployed, asked, logged.
import assert from "node:assert/strict";
import { mkdtemp, cp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { listPredictionTotals } from "#metadata-store/serving";
import { readModelContent } from "#models";
import { MODEL_PACKAGES, pythonModels } from "../setup/python-models.ts";
import { openTestStore } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";
import { deploy, listen } from "./served.ts";
import { createServing } from "#serving";
import { silentLog } from "#base";

const post = async (address: string, body: unknown): Promise<{ status: number; answer: Record<string, unknown> }> => {
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
};

describe("a model that mlflow.sklearn.save_model left", () => {
  it("is stored with the inputs of its signature, its task, its example and its requirements", async () => {
    const stored = await openTestStore("sqlite");
    const { folder, expected } = await pythonModels();
    const { model, requirements } = readModelContent(await publishModel(stored, join(folder, "late")));
    const [first] = expected.rows;
    assert.deepEqual(
      { runtime: model.runtime, task: model.task, label: model.label, inputs: model.inputs },
      {
        runtime: "python",
        task: "binary_classification",
        label: "late",
        inputs: [
          { name: "distance", type: "float" },
          { name: "hour", type: "integer" },
          { name: "origin", type: "string" },
        ],
      },
    );
    assert.ok(Math.abs(Number(model.example?.["distance"]) - Number(first?.["distance"])) < 1e-9);
    assert.deepEqual(requirements?.toSorted(), MODEL_PACKAGES);
    const tasks = ["part", "distance"].map(async (name) => {
      const version = await publishModel(stored, join(folder, name), name);
      return readModelContent(version).model.task;
    });
    assert.deepEqual(await Promise.all(tasks), ["multiclass_classification", "regression"]);
  });

  it("is refused without a signature, without a task and without python_function, with what to do", async () => {
    const stored = await openTestStore("sqlite");
    const { folder } = await pythonModels();
    await assert.rejects(publishModel(stored, join(folder, "unsigned")), (error) => {
      assert.ok(isEsteiraError(error, "MODELS_SIGNATURE_MISSING"));
      return /infer_signature/.test(error.hint ?? "");
    });
    await assert.rejects(publishModel(stored, join(folder, "untold")), (error) => {
      assert.ok(isEsteiraError(error, "MODELS_TASK_MISSING"));
      return /esteira\.task/.test(error.hint ?? "");
    });
    const without = await mkdtemp(join(tmpdir(), "esteira-model-"));
    after(() => rm(without, { recursive: true }));
    await cp(join(folder, "expected.json"), join(without, "MLmodel"));
    await assert.rejects(publishModel(stored, without), (error) => isEsteiraError(error, "MODELS_DESCRIPTION_INVALID"));
  });

  it("answers invocations and Open Inference with scikit-learn's own numbers, durably", async () => {
    const stored = await openTestStore("sqlite");
    const { folder, expected } = await pythonModels();
    const python = await pythonServing(stored.objects);
    const serving = createServing({ ...stored, log: silentLog, python });
    after(() => serving.close());
    const version = await publishModel(stored, join(folder, "late"));
    await deploy(serving, version);
    const address = `${await listen(serving)}/endpoints/production/delay`;

    const { status, answer } = await post(`${address}/invocations`, { dataframe_records: expected.rows });
    assert.equal(status, 200, JSON.stringify(answer));
    const predictions = answer["predictions"] as readonly number[];
    assert.equal(predictions.length, expected.late.length);
    for (const [row, value] of predictions.entries()) assert.ok(Math.abs(value - (expected.late[row] ?? NaN)) <= 1e-9);

    const metadata = (await (await fetch(`${address}/v2/models/delay`)).json()) as {
      readonly platform: string;
      readonly inputs: readonly { readonly name: string }[];
    };
    assert.equal(metadata.platform, "mlflow_pyfunc");
    assert.deepEqual(
      metadata.inputs.map(({ name }) => name),
      ["distance", "hour", "origin"],
    );
    const missing = await post(`${address}/invocations`, { dataframe_records: [{ distance: 1, origin: "ATL" }] });
    assert.equal(missing.status, 400);
    assert.match(JSON.stringify(missing.answer), /hour/);
    const logged = await stored.store.read((transaction) =>
      listPredictionTotals(transaction, { project: "p", environment: "production", endpoint: "delay" }),
    );
    assert.deepEqual(
      logged.map(({ predictions: count }) => count),
      [expected.rows.length],
    );
  });
});
