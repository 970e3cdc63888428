import assert from "node:assert/strict";
import { it } from "node:test";
import { collectRequirements } from "../../src/models/model-requirements.ts";

it("what a model asks for beside its step's packages is added, but for what one of them stands for", () => {
  const lock = "mlflow-skinny==3.17.2\nxgboost-cpu==3.2.0\nScikit_Learn==1.9.1";
  assert.deepEqual(
    collectRequirements("mlflow==3.17.2\nxgboost==3.2.0\nscikit-learn==1.9.1\nlightgbm==4.7.0\n", lock),
    ["mlflow-skinny==3.17.2", "xgboost-cpu==3.2.0", "Scikit_Learn==1.9.1", "lightgbm==4.7.0"],
  );
  assert.deepEqual(collectRequirements("xgboost==3.2.0\n", undefined), ["xgboost==3.2.0"]);
});
