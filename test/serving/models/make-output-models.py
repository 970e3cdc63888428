"""Makes the ONNX models of the serving tests whose outputs have any shape, with what numpy and scikit-learn compute.

Needs onnx, scikit-learn, skl2onnx. Run: python make-output-models.py (writes beside itself).
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression

folder = Path(__file__).parent
INPUTS = [{"name": "distance", "type": "float"}, {"name": "hour", "type": "float"}]
LARGE = 2**53 + 1


def save(name, graph, rows, predicted):
    (folder / f"{name}.onnx").write_bytes(graph.SerializeToString())
    model = {"format": "esteira.model/1", "runtime": "onnx", "file": "model.onnx", "task": "outputs", "inputs": INPUTS, "example": rows[0]}
    (folder / f"{name}.json").write_text(json.dumps({"model": model, "rows": rows, "predicted": predicted}, indent=1) + "\n")


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def every_shape():
    """A scalar per row, a column, an embedding, a grid, texts, whole numbers beyond 2^53, truth values, half floats."""
    weights = np.array([[1, 0, -1], [0.5, 2, 0]], dtype=np.float32)
    nodes = [
        helper.make_node("ReduceSum", ["x", "axis"], ["score"], keepdims=0),
        helper.make_node("ReduceSum", ["x", "axis"], ["column"], keepdims=1),
        helper.make_node("MatMul", ["x", "weights"], ["embedding"]),
        helper.make_node("MatMul", ["x", "square"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["wide", "grid_shape"], ["grid"]),
        helper.make_node("Gather", ["x", "second"], ["hours"], axis=1),
        helper.make_node("Cast", ["hours"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Add", ["whole", "large"], ["key"]),
        helper.make_node("LabelEncoder", ["whole"], ["part"], domain="ai.onnx.ml", keys_int64s=[0, 1, 2], values_strings=["morning", "tarde ☀", ""], default_string="?"),
        helper.make_node("Greater", ["hours", "limit"], ["is_late"]),
        helper.make_node("Cast", ["embedding"], ["half"], to=TensorProto.FLOAT16),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "every_shape",
        [value("x", TensorProto.FLOAT, ["N", 2])],
        [
            value("score", TensorProto.FLOAT, ["N"]),
            value("column", TensorProto.FLOAT, ["N", 1]),
            value("embedding", TensorProto.FLOAT, ["N", 3]),
            value("grid", TensorProto.DOUBLE, ["N", 2, 2]),
            value("key", TensorProto.INT64, ["N"]),
            value("part", TensorProto.STRING, ["N"]),
            value("is_late", TensorProto.BOOL, ["N"]),
            value("half", TensorProto.FLOAT16, ["N", 3]),
        ],
        [
            constant("axis", np.array([1], dtype=np.int64)),
            constant("weights", weights),
            constant("square", np.array([[1, 0, 1, 0], [0, 1, 0, 1]], dtype=np.float32)),
            constant("grid_shape", np.array([-1, 2, 2], dtype=np.int64)),
            constant("second", np.array(1, dtype=np.int64)),
            constant("large", np.array(LARGE, dtype=np.int64)),
            constant("limit", np.array(0.5, dtype=np.float32)),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)], ir_version=8)
    onnx.checker.check_model(model)
    rows = [{"distance": 1.5, "hour": 0}, {"distance": -2, "hour": 1}, {"distance": 100, "hour": 2}]
    x = np.array([[row["distance"], row["hour"]] for row in rows], dtype=np.float32)
    hours = x[:, 1].astype(int)
    predicted = {
        "score": x.sum(axis=1).tolist(),
        "column": x.sum(axis=1, keepdims=True).tolist(),
        "embedding": (x @ weights).tolist(),
        "grid": np.concatenate([x, x], axis=1).reshape(-1, 2, 2).tolist(),
        "key": [str(LARGE + int(hour)) for hour in hours],
        "part": [["morning", "tarde ☀", ""][hour] for hour in hours],
        "is_late": (x[:, 1] > 0.5).tolist(),
        "half": (x @ weights).astype(np.float16).tolist(),
    }
    save("every-shape", model, rows, predicted)


def several_targets():
    random = np.random.default_rng(7)
    x = np.column_stack([random.uniform(100, 2500, 200), random.integers(0, 24, 200)]).astype(np.float32)
    model = LinearRegression().fit(x, np.column_stack([x[:, 0] / 100, x[:, 1] * 2, x.sum(axis=1)]))
    graph = to_onnx(model, x[:1], target_opset=17)
    rows = [dict(zip(["distance", "hour"], row)) for row in x[:5].tolist()]
    save("several-targets", graph, rows, model.predict(x[:5]).tolist())


def whole_batch():
    """Answers once for all rows, which nothing can be cut from."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0)],
        "whole_batch",
        [value("x", TensorProto.FLOAT, ["N", 2])],
        [value("total", TensorProto.FLOAT, [])],
    )
    save("whole-batch", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), [{"distance": 1, "hour": 2}], [])


every_shape()
several_targets()
whole_batch()
