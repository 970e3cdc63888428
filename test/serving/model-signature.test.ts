import assert from "node:assert/strict";
import { test } from "node:test";
import { isEsteiraError } from "#base";
import type { AssetVersion } from "#metadata-store";
import { readSignature, withNulls } from "../../src/serving/model-signature.ts";
import { readInputs, sourceOfRecords } from "../../src/serving/row-source.ts";

const VERSION: AssetVersion = {
  id: "v",
  project: "p",
  asset: "minutes",
  kind: "model",
  version: 1,
  digest: "sha256:0",
  sizeBytes: 0,
  stepRunId: undefined,
  pipelineRunId: undefined,
  rowCount: undefined,
  expiredAtMs: undefined,
  madeAtMs: 0,
  content: {
    format: "model/1",
    model: {
      format: "esteira.model/1",
      task: "regression",
      inputs: [
        { name: "rain", type: "float" },
        { name: "mean", type: "float" },
        { name: "day__trips", type: "integer" },
      ],
      features: ["day:mean", "day:trips"],
    },
  },
};

test("a row that lacks what was a feature in training is told how features are read", () => {
  const signature = withNulls(readSignature(VERSION), { trainingNulls: new Set(), exact: [] });
  const hintOf = (row: object): string | undefined => {
    try {
      readInputs(signature, sourceOfRecords([row]), "ignore");
    } catch (error) {
      if (isEsteiraError(error, "SERVING_COLUMN_MISSING")) return error.hint;
      throw error;
    }
    return undefined;
  };
  assert.equal(
    hintOf({ rain: 1 }),
    "It was the feature day:mean in training. Send it, or name the feature service where the model is deployed (features: …), so that it is read by its keys.",
  );
  assert.match(hintOf({ rain: 1, mean: 2 }) ?? "", /^It was the feature day:trips/);
  assert.equal(hintOf({ mean: 2, day__trips: 3 }), "Send every input of the model's signature.");
  assert.equal(hintOf({ rain: 1, mean: 2, day__trips: 3 }), undefined);
});
