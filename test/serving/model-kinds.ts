/**
 * Models as people leave them, by kind: the script of the step that makes each, for a project whose dataset `rows` has
 * the columns `id`, `distance`, `origin` and `late`.
 */
export interface ModelKindCase {
  /** Of the step, the asset, the endpoint and the pipeline. */
  readonly name: string;
  /** For the name of its test. */
  readonly says: string;
  readonly script: string;
  /** Columns of its requests. */
  readonly columns: readonly string[];
  /** Numbers that are known without the library. */
  readonly expected?: readonly number[];
}

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
const BINARY = 'metadata={"esteira.task": "binary_classification", "esteira.label": "late"}';

export const MODEL_KINDS: readonly ModelKindCase[] = [
  {
    name: "sklearn_logged",
    says: "scikit-learn with texts in a pipeline, logged beside another one",
    columns: ["distance", "origin"],
    script: `${HEAD}${PIPELINE}
mlflow.sklearn.log_model(model, name="other", signature=infer_signature(X), serialization_format="cloudpickle")
mlflow.sklearn.log_model(model, name="sklearn_logged", signature=infer_signature(X), serialization_format="cloudpickle")
mlflow.set_tag("esteira.task", "binary_classification")
`,
  },
  {
    name: "sklearn_saved",
    says: "scikit-learn with texts in a pipeline, saved by esteira",
    columns: ["distance", "origin"],
    script: `${HEAD}${PIPELINE}
esteira.save_model("sklearn_saved", model, inputs=X, label="late", example={"distance": 10.0, "origin": "GRU"})
`,
  },
  {
    name: "xgboost_logged",
    says: "XGBoost, logged under any name",
    columns: ["distance"],
    script: `${HEAD}
import xgboost
model = xgboost.XGBClassifier(n_estimators=5).fit(numbers, y)
mlflow.xgboost.log_model(model, name="any-name", signature=infer_signature(numbers), ${BINARY})
`,
  },
  {
    name: "xgboost_saved",
    says: "XGBoost, saved by esteira",
    columns: ["distance"],
    script: `${HEAD}
import xgboost
esteira.save_model("xgboost_saved", xgboost.XGBClassifier(n_estimators=5).fit(numbers, y), inputs=numbers)
`,
  },
  {
    name: "lightgbm_logged",
    says: "LightGBM, logged",
    columns: ["distance"],
    script: `${HEAD}
import lightgbm, mlflow.lightgbm
model = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1).fit(numbers, y)
mlflow.lightgbm.log_model(model, name="lightgbm_logged", signature=infer_signature(numbers), serialization_format="cloudpickle", ${BINARY})
`,
  },
  {
    name: "lightgbm_saved",
    says: "LightGBM, saved by esteira",
    columns: ["distance"],
    script: `${HEAD}
import lightgbm
esteira.save_model("lightgbm_saved", lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=2, verbose=-1).fit(numbers, y), inputs=numbers)
`,
  },
  {
    name: "statsmodels_logged",
    says: "statsmodels, logged",
    columns: ["distance"],
    script: `${HEAD}
import statsmodels.api as sm, mlflow.statsmodels
model = sm.OLS(2.0 * numbers["distance"], numbers).fit()
mlflow.statsmodels.log_model(model, name="statsmodels_logged", signature=infer_signature(numbers), metadata={"esteira.task": "regression"})
`,
    expected: [201, 1401],
  },
  {
    name: "statsmodels_saved",
    says: "statsmodels, saved by esteira",
    columns: ["distance"],
    script: `${HEAD}
import statsmodels.api as sm
esteira.save_model("statsmodels_saved", sm.OLS(3.0 * numbers["distance"], numbers).fit(), task="regression", inputs=numbers)
`,
    expected: [301.5, 2101.5],
  },
  {
    name: "catboost_logged",
    says: "CatBoost with texts, logged",
    columns: ["distance", "origin"],
    script: `${HEAD}
import catboost, mlflow.catboost
model = catboost.CatBoostClassifier(iterations=5, cat_features=["origin"], verbose=0, allow_writing_files=False).fit(X, y)
mlflow.catboost.log_model(model, name="catboost_logged", signature=infer_signature(X), ${BINARY})
`,
  },
  {
    name: "catboost_saved",
    says: "CatBoost with texts, saved by esteira",
    columns: ["distance", "origin"],
    script: `${HEAD}
import catboost
model = catboost.CatBoostClassifier(iterations=5, cat_features=["origin"], verbose=0, allow_writing_files=False).fit(X, y)
esteira.save_model("catboost_saved", model, inputs=X)
`,
  },
  {
    name: "custom",
    says: "a PythonModel whose class is in the project",
    columns: ["distance"],
    script: `${HEAD}
from parts.own import Own
esteira.save_model("custom", Own(3.0), task="regression", inputs={"distance": "float"})
`,
    expected: [301.5, 2101.5],
  },
  {
    name: "plain",
    says: "a function",
    columns: ["distance"],
    script: `${HEAD}
esteira.save_model("plain", lambda frame: frame["distance"] * 2, task="regression", inputs={"distance": "float"})
`,
    expected: [201, 1401],
  },
];

/** PyTorch is large: made where `ESTEIRA_TEST_TORCH` names what to install, as `torch==2.13.0`. */
export const TORCH_KINDS: readonly ModelKindCase[] = [
  {
    name: "torch_logged",
    says: "PyTorch, logged",
    columns: ["distance"],
    script: `${HEAD}
import torch, mlflow.pytorch
model = torch.nn.Linear(1, 1).eval()
with torch.no_grad():
    model.weight.fill_(2.0)
    model.bias.fill_(0.0)
frame = numbers.astype("float32")
mlflow.pytorch.log_model(model, name="torch_logged", signature=infer_signature(frame), serialization_format="pickle", metadata={"esteira.task": "regression"})
`,
    expected: [201, 1401],
  },
  {
    name: "torch_saved",
    says: "PyTorch, saved by esteira",
    columns: ["distance"],
    script: `${HEAD}
import torch
model = torch.nn.Linear(1, 1).eval()
with torch.no_grad():
    model.weight.fill_(3.0)
    model.bias.fill_(0.0)
esteira.save_model("torch_saved", model, task="regression", inputs={"distance": "float"})
`,
    expected: [301.5, 2101.5],
  },
];
