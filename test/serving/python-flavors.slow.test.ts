// Models of other libraries than scikit-learn: their own numbers, from their own probabilities.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, it } from "node:test";
import { silentLog } from "#base";
import { createServing } from "#serving";
import { testEnvironments } from "../setup/attempt.ts";
import { runPython } from "../setup/mlflow-client.ts";
import { MODEL_PACKAGES } from "../setup/python-models.ts";
import { openTestStore, temporaryFolder } from "../setup/stores.ts";
import { publishModel, pythonServing } from "./python-served.ts";

const PACKAGES = [...MODEL_PACKAGES, "lightgbm==4.7.0"];

/** Saves three models below the folder that it is given, and prints what they answer. */
const SCRIPT = `
import json, sys, warnings
import lightgbm, mlflow.lightgbm, numpy as np, pandas as pd
from mlflow.models import infer_signature
folder, packages = sys.argv[1], sys.argv[2].split()
random = np.random.default_rng(3)
rows = pd.DataFrame({"distance": random.uniform(100, 2500, 200), "hour": random.uniform(0, 24, 200)})
late, part = (rows["distance"] > 1000).astype(int), (rows["hour"] // 8).astype(int)
def save(name, model, task):
    signature = infer_signature(rows, np.zeros(200))
    mlflow.lightgbm.save_model(model, f"{folder}/{name}", signature=signature, pip_requirements=packages, serialization_format="cloudpickle", metadata={"esteira.task": task})
binary = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(rows, late)
save("binary", binary, "binary_classification")
booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, late), 5)
save("booster", booster, "binary_classification")
multi = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(rows, part)
save("multi", multi, "multiclass_classification")
print(json.dumps({"columns": {name: rows[name].tolist() for name in rows}, "binary": binary.predict_proba(rows)[:, 1].tolist(), "booster": booster.predict(rows).tolist(), "multi": multi.predict(rows).tolist()}))
`;

it("LightGBM classifiers and boosters answer what the library does", async () => {
  const { python } = await testEnvironments.prepare({
    requirements: PACKAGES.join("\n"),
    requirementsFile: "the LightGBM models of the tests",
    report: (line) => void process.stderr.write(`${line}\n`),
  });
  const folder = await temporaryFolder();
  const said = await runPython(python, SCRIPT, { arguments: [folder, PACKAGES.join(" ")] });
  const expected = JSON.parse(said.split("\n").at(-1) ?? "") as Record<"binary" | "booster" | "multi", number[]> & {
    readonly columns: Readonly<Record<string, readonly number[]>>;
  };
  const stored = await openTestStore("sqlite");
  const serving = createServing({ ...stored, log: silentLog, python: await pythonServing(stored.objects) });
  after(() => serving.close());
  for (const name of ["binary", "booster", "multi"] as const) {
    const version = await publishModel(stored, join(folder, name), name);
    const scores = await serving.scorer.score(version, {
      rowCount: 200,
      columns: new Map(Object.entries(expected.columns)),
    });
    const furthest = Math.max(...scores.map((score, row) => Math.abs(score - (expected[name][row] ?? NaN))));
    assert.ok(furthest <= 1e-9, `${name}: ${furthest}`);
  }
});
