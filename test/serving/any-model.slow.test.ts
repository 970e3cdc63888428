// Models as people leave them: logged to the run, saved by the Python package, of several libraries; served and scored.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { testEnvironments } from "../setup/attempt.ts";
import { runEsteira } from "../setup/command-line.ts";
import { runPython } from "../setup/mlflow-client.ts";
import { MODEL_PACKAGES } from "../setup/python-models.ts";
import { startServer } from "../setup/started-server.ts";
import { temporaryFolder } from "../setup/stores.ts";

const ROOT = join(import.meta.dirname, "../..");
const PACKAGES = [...MODEL_PACKAGES, "pyarrow", "xgboost-cpu==3.2.0"];
const HEAD = `
import esteira, mlflow, pandas as pd
from mlflow.models import infer_signature
rows = esteira.input("rows").to_pandas()
X, y = rows[["distance", "origin"]], rows["late"]
numbers = rows[["distance"]]
`;
const PIPELINE = `
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
model = make_pipeline(make_column_transformer((OneHotEncoder(), ["origin"]), remainder="passthrough"), LogisticRegression()).fit(X, y)
`;
/** Name of the model by the script that makes it. */
const SCRIPTS: Readonly<Record<string, string>> = {
  logged: `${HEAD}${PIPELINE}
mlflow.sklearn.log_model(model, name="other", signature=infer_signature(X), serialization_format="cloudpickle")
mlflow.sklearn.log_model(model, name="logged", signature=infer_signature(X), serialization_format="cloudpickle")
mlflow.set_tag("esteira.task", "binary_classification")
`,
  boosted: `${HEAD}
import xgboost
model = xgboost.XGBClassifier(n_estimators=5).fit(numbers, y)
mlflow.xgboost.log_model(model, name="any-name", signature=infer_signature(numbers), metadata={"esteira.task": "binary_classification", "esteira.label": "late"})
`,
  saved: `${HEAD}${PIPELINE}
esteira.save_model("saved", model, inputs=X, label="late", example={"distance": 10.0, "origin": "GRU"})
`,
  booster: `${HEAD}
import xgboost
esteira.save_model("booster", xgboost.XGBClassifier(n_estimators=5).fit(numbers, y), inputs=numbers)
`,
  custom: `${HEAD}
from parts.own import Own
esteira.save_model("custom", Own(3.0), task="regression", inputs={"distance": "float"})
`,
  plain: `${HEAD}
esteira.save_model("plain", lambda frame: frame["distance"] * 2, task="regression", inputs={"distance": "float"})
`,
  nothing: `${HEAD}\nprint("no model")\n`,
};
const FILES: Readonly<Record<string, string>> = {
  "esteira.yaml": "name: p\nenvironments: { production: {} }\n",
  "requirements.txt": PACKAGES.join("\n"),
  "src/parts/__init__.py": "",
  "src/parts/own.py": `import mlflow.pyfunc
from parts.factor import times
class Own(mlflow.pyfunc.PythonModel):
    def __init__(self, by): self.by = by
    def predict(self, context, model_input, params=None): return times(model_input["distance"].to_numpy(), self.by)
`,
  "src/parts/factor.py": "def times(values, by): return values * by\n",
  "rows.csv": `id,distance,origin,late\n${Array.from({ length: 80 }, (_, i) => `${i},${i * 10}.5,${i % 2 === 0 ? "GRU" : "JFK"},${i > 35 ? 1 : 0}`).join("\n")}\n`,
  "pipelines/p.yaml": `steps:
  rows: { capture: { files: rows.csv } }
${Object.keys(SCRIPTS)
  .map((name) => `  ${name}: { python: src/${name}.py, requirements: requirements.txt, makes: model }\n`)
  .join("")}
${["logged", "boosted", "saved", "booster", "custom", "plain"]
  .map(
    (name) =>
      `  live_${name}: { deploy: ${name}, to: production }\n  ${name}_scores: { score: ${name}, data: rows, key: id }\n`,
  )
  .join("")}`,
  ...Object.fromEntries(Object.entries(SCRIPTS).map(([name, text]) => [`src/${name}.py`, text])),
};

/** Loads a registered version as anybody would, in an environment of its own requirements. */
const LOAD = `
import json, sys
import mlflow.pyfunc, pandas as pd
rows = pd.DataFrame(json.loads(sys.argv[1]))
answers = {}
for name in sys.argv[2].split():
    model = mlflow.pyfunc.load_model(f"models:/{name}/1")
    columns = model.metadata.get_input_schema().input_names()
    raw = model.get_raw_model() if "python_model" not in str(model.metadata.flavors) else None
    frame = rows[columns]
    answers[name] = [float(value) for value in (raw.predict_proba(frame)[:, 1] if hasattr(raw, "predict_proba") else model.predict(frame))]
print(json.dumps(answers))
`;

describe("a model that a step left", async () => {
  const ROWS = [
    { distance: 100.5, origin: "GRU" },
    { distance: 700.5, origin: "JFK" },
  ];
  const folder = await temporaryFolder();
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  const { code: end, stdout: out, stderr: problems } = await runEsteira(folder, ["run", "p"]);
  const said = out + problems;
  assert.equal(end, 1, said);
  const server = await startServer(folder);
  after(() => server.stop());

  it("is refused by name where it left none, and nothing else fails", () => {
    assert.match(said, /left none: its output folder is empty, and its MLflow run logged no model/);
    assert.deepEqual(said.match(/✖ failed {2}\w+/g), ["✖ failed  nothing"]);
  });

  it("answers at its endpoint what the library answers where it is loaded elsewhere", async () => {
    const names = ["logged", "boosted", "saved", "booster", "custom", "plain"];
    const { python } = await testEnvironments.prepare({
      requirements: PACKAGES.join("\n"),
      requirementsFile: "any-model",
    });
    const answers = JSON.parse(
      (
        await runPython(python, LOAD, {
          arguments: [JSON.stringify(ROWS), names.join(" ")],
          environment: { MLFLOW_TRACKING_URI: server.url },
        })
      )
        .split("\n")
        .at(-1) ?? "",
    ) as Record<string, number[]>;
    for (const name of names) {
      const answer = await fetch(`${server.url}/endpoints/production/${name}/invocations`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          dataframe_records: ROWS.map((row) => (["logged", "saved"].includes(name) ? row : { distance: row.distance })),
        }),
      });
      const body = await answer.text();
      assert.equal(answer.status, 200, `${name}: ${body}`);
      const { predictions } = JSON.parse(body) as { predictions: (number | { probability: number })[] };
      const values = predictions.map((value) => (typeof value === "number" ? value : value.probability));
      for (const [row, value] of values.entries())
        assert.ok(Math.abs(value - (answers[name]?.[row] ?? NaN)) < 1e-6, `${name} ${row}: ${value} ${body}`);
    }
    assert.deepEqual(answers["custom"], [301.5, 2101.5]);
    assert.deepEqual(answers["plain"], [201, 1401]);
  });

  it("scores a dataset, every row of it", async () => {
    for (const name of ["logged", "custom"]) {
      const answer = await fetch(`${server.url}/api/v1/datasets/${name}_scores/rows?limit=200`);
      const { rows } = (await answer.json()) as { rows: unknown[] };
      assert.equal(rows.length, 80, name);
    }
  });

  it("is exported with the digests of its packages, and takes the runtime of a graph along", async () => {
    const to = join(folder, "saved.tar");
    const { code, stdout, stderr } = await runEsteira(folder, ["model", "export", "saved", "--to", to]);
    assert.equal(code, 0, stderr + stdout);
    const archive = (await readFile(to)).toString("latin1");
    assert.match(archive, /scikit-learn==1\.9\.1  # sha256:[0-9a-f]{64} on linux/);
    const package_ = JSON.parse(
      await readFile(join(ROOT, "node_modules/onnxruntime-node/package.json"), "utf8"),
    ) as object;
    const saving = await readFile(join(ROOT, "python/esteira/_model.py"), "utf8");
    assert.ok(saving.includes(`ONNXRUNTIME = "${"version" in package_ ? String(package_.version) : ""}"`));
  });
});
