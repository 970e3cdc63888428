// A model that was trained and registered by a plain MLflow client, and never by a step, goes into production.
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { testEnvironments } from "../setup/attempt.ts";
import { testCache } from "../setup/cache-folder.ts";
import { runEsteira } from "../setup/command-line.ts";
import { runPython } from "../setup/mlflow-client.ts";
import { MODEL_PACKAGES } from "../setup/python-models.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const TRAIN = `
import json, sys
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
rows = pd.DataFrame({"distance": np.arange(200.0), "delay": np.arange(200.0) % 7})
late = (rows["distance"] > 120).astype(int)
with mlflow.start_run():
    model = LogisticRegression(max_iter=1000).fit(rows, late)
    mlflow.log_param("max_iter", 1000)
    mlflow.log_metric("accuracy", float((model.predict(rows) == late).mean()))
    mlflow.sklearn.log_model(model, name="model", serialization_format="cloudpickle", signature=infer_signature(rows, model.predict(rows)),
        registered_model_name="flights")
mlflow.MlflowClient().set_registered_model_alias("flights", "candidate", 1)
asked = pd.DataFrame({"distance": [10.5, 130.5], "delay": [1.5, 3.5]})
print("ANSWER " + json.dumps(model.predict_proba(asked)[:, 1].tolist()))
`;

it("a model of a plain MLflow client is adopted, deployed, and answers what it answered there", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "pipelines"));
  await writeFile(join(folder, "esteira.yaml"), "name: p\nenvironments: { production: {} }\n");
  await writeFile(
    join(folder, "pipelines/live.yaml"),
    `steps:
  delay: { adopt: "models:/flights@candidate", task: binary_classification, label: late }
  live: { deploy: delay, to: production }
`,
  );
  await mkdir(join(folder, ".esteira"), { mode: 0o700 });
  await mkdir(join(testCache(), "test-environments", "python"), { recursive: true });
  await symlink(join(testCache(), "test-environments", "python"), join(folder, ".esteira", "python"));
  const server = await startServer(folder);
  after(() => server.stop());
  const { python } = await testEnvironments.prepare({
    requirements: MODEL_PACKAGES.join("\n"),
    requirementsFile: "the Python models of the tests",
    report: (line) => void process.stderr.write(`${line}\n`),
  });
  const stdout = await runPython(python, TRAIN, { environment: { MLFLOW_TRACKING_URI: server.url } });
  const expected = JSON.parse(/^ANSWER (.*)$/m.exec(stdout)?.[1] ?? "null") as readonly number[];
  const { code, stdout: said, stderr } = await runEsteira(folder, ["run", "live"]);
  assert.equal(code, 0, said + stderr);
  const body = JSON.stringify({
    dataframe_records: [
      { distance: 10.5, delay: 1.5 },
      { distance: 130.5, delay: 3.5 },
    ],
  });
  const deadline = Date.now() + 5 * 60_000;
  for (;;) {
    const answer = await fetch(`${server.url}/endpoints/production/delay/invocations`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const text = await answer.text();
    if (answer.status === 200) {
      const { predictions } = JSON.parse(text) as { readonly predictions: readonly number[] };
      for (const [row, value] of expected.entries())
        assert.ok(Math.abs((predictions[row] ?? NaN) - value) < 1e-9, `${text} for ${expected.join(", ")}`);
      break;
    }
    assert.ok(Date.now() < deadline && (answer.status === 404 || answer.status === 503), `${answer.status} ${text}`);
    await pause(200);
  }
});
