"""Makes the ONNX models of the serving tests, with predictions computed by scikit-learn itself.

Needs numpy, scikit-learn, skl2onnx. Run: python make-models.py (writes beside itself).
"""

import json
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.neural_network import MLPClassifier

import pandas as pd

folder = Path(__file__).parent
random = np.random.default_rng(7)
n = 800
distance = random.integers(100, 2500, n).astype(np.float32)
hour = random.integers(0, 24, n).astype(np.float32)
origin = random.choice(["ATL", "DEN", "ORD", "JFK"], n)
late = ((hour / 24 + (origin == "ORD") * 0.5 + random.normal(0, 0.3, n)) > 0.8).astype(int)
FRAME = pd.DataFrame({"distance": distance, "hour": hour, "origin": origin})


def save(name, onnx, model, rows, predicted):
    (folder / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    (folder / f"{name}.json").write_text(json.dumps({"model": model, "rows": rows, "predicted": predicted}, indent=1) + "\n")


def columns_model():
    pipeline = Pipeline([
        ("prepare", ColumnTransformer([("n", StandardScaler(), ["distance", "hour"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["origin"])])),
        ("model", LogisticRegression()),
    ]).fit(FRAME, late)
    types = [("distance", FloatTensorType([None, 1])), ("hour", FloatTensorType([None, 1])), ("origin", StringTensorType([None, 1]))]
    onnx = to_onnx(pipeline, initial_types=types, options={id(pipeline): {"zipmap": False}}, target_opset=17)
    rows = FRAME.head(20)
    save("late-by-columns", onnx, {
        "format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "binary_classification",
        "inputs": [{"name": "distance", "type": "float"}, {"name": "hour", "type": "integer"}, {"name": "origin", "type": "string"}],
        "outputs": [{"name": "label", "type": "integer"}, {"name": "probabilities", "type": "float"}],
        "label": "late", "example": {"distance": 500, "hour": 12, "origin": "ATL"},
    }, json.loads(rows.to_json(orient="records")), pipeline.predict_proba(rows)[:, 1].tolist())


def matrix_model():
    x = FRAME[["distance", "hour"]].to_numpy()
    model = MLPClassifier((8,), max_iter=60, random_state=3).fit(x, late)
    onnx = to_onnx(model, x[:1], options={id(model): {"zipmap": False}}, target_opset=17)
    rows = x[:20].tolist()
    save("late-by-matrix", onnx, {
        "format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "binary_classification",
        "inputs": [{"name": "distance", "type": "float"}, {"name": "hour", "type": "float"}],
        "outputs": [{"name": "label", "type": "integer"}, {"name": "probabilities", "type": "float"}], "label": "late",
    }, [dict(zip(["distance", "hour"], row)) for row in rows], model.predict_proba(np.array(rows))[:, 1].tolist())


def regression_model():
    x = FRAME[["distance", "hour"]].to_numpy()
    model = LinearRegression().fit(x, distance * 0.12 + hour)
    save("delay-regression", to_onnx(model, x[:1], target_opset=17), {
        "format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "regression",
        "inputs": [{"name": "distance", "type": "float"}, {"name": "hour", "type": "float"}],
        "outputs": [{"name": "variable", "type": "float"}], "label": "delay",
    }, [{"distance": float(a), "hour": float(b)} for a, b in x[:10]], model.predict(x[:10]).tolist())


def multiclass_model():
    x = FRAME[["distance", "hour"]].to_numpy()

    pipeline = Pipeline([("s", StandardScaler()), ("m", LogisticRegression(max_iter=2000))]).fit(x, np.where(hour < 8, "early", np.where(hour < 16, "day", "night")))
    onnx = to_onnx(pipeline, x[:1], options={id(pipeline): {"zipmap": False}}, target_opset=17)
    save("part-of-day", onnx, {
        "format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "multiclass_classification",
        "inputs": [{"name": "distance", "type": "float"}, {"name": "hour", "type": "float"}],
        "outputs": [{"name": "label", "type": "string"}, {"name": "probabilities", "type": "float"}], "label": "part",
    }, [{"distance": float(a), "hour": float(b)} for a, b in x[:10]], pipeline.predict(x[:10]).tolist())


def zipmap_model():
    x = FRAME[["distance", "hour"]].to_numpy()
    model = LogisticRegression().fit(StandardScaler().fit_transform(x), late)
    onnx = to_onnx(model, x[:1], target_opset=17)
    (folder / "zipmap.onnx").write_bytes(onnx.SerializeToString())


def whole_numbers_model():
    """The last three digits of a number of 64 bits, and a number of 32 bits."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Mod", ["large", "thousand"], ["rest"]),
            helper.make_node("Cast", ["rest"], ["left"], to=TensorProto.DOUBLE),
            helper.make_node("Cast", ["small"], ["right"], to=TensorProto.DOUBLE),
            helper.make_node("Add", ["left", "right"], ["variable"]),
        ],
        "whole-numbers",
        [helper.make_tensor_value_info("large", TensorProto.INT64, [None, 1]), helper.make_tensor_value_info("small", TensorProto.INT32, [None, 1])],
        [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor("thousand", TensorProto.INT64, [], [1000])],
    )
    onnx = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    rows = [{"large": 1234, "small": 1}, {"large": 5, "small": -2}]
    save("whole-numbers", onnx, {
        "format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "regression",
        "inputs": [{"name": "large", "type": "integer"}, {"name": "small", "type": "integer"}],
        "outputs": [{"name": "variable", "type": "float"}], "label": "rest",
    }, rows, [row["large"] % 1000 + row["small"] for row in rows])


columns_model()
matrix_model()
regression_model()
multiclass_model()
whole_numbers_model()
zipmap_model()
