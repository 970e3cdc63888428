"""Saving a model: the ONNX graph, its signature, and what the mlflow client needs to load it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._context import EsteiraError, context, output

TASKS = ("binary_classification", "multiclass_classification", "regression")
TYPES = ("float", "integer", "string", "boolean")
_MLFLOW_TYPES = {"float": "float", "integer": "long", "string": "string", "boolean": "boolean"}


def save_model(
    name: str,
    model: Any,
    *,
    task: str,
    inputs: Iterable[Mapping[str, str]] | Mapping[str, str],
    label: str | None = None,
    example: Mapping[str, Any] | None = None,
    features: Iterable[str] | None = None,
) -> Path:
    """Saves an ONNX model as asset `name`, which this step makes.

    model    an `onnx.ModelProto`, its bytes, or the path of an `.onnx` file
    task     binary_classification, multiclass_classification or regression
    inputs   the columns the model takes, in order: {"distance": "float", …} or [{"name": …, "type": …}, …];
             types: float, integer, string, boolean
    label    the column the model predicts
    example  one row that the model accepts; it is tried before an endpoint takes the model
    features the features it reads online (`view:feature`), when it was trained on a join

    Returns the folder with `model.onnx`, `model.json`, `MLmodel`, and the environment that loads it elsewhere.
    """
    columns = _columns(inputs)
    if task not in TASKS:
        raise EsteiraError(f"task is {task!r}; expected one of {', '.join(TASKS)}")
    if example is not None:
        missing = [column["name"] for column in columns if column["name"] not in example]
        if missing:
            raise EsteiraError(f"The example row lacks {', '.join(missing)}")
    payload = _bytes(model)
    folder = output(name)
    (folder / "model.onnx").write_bytes(payload)
    facts: dict[str, Any] = {
        "format": "esteira.model/1",
        "runtime": "onnx",
        "file": "model.onnx",
        "task": task,
        "inputs": columns,
        "outputs": _outputs(payload, task),
    }
    if label is not None:
        facts["label"] = label
    if example is not None:
        facts["example"] = {column["name"]: _plain(example[column["name"]]) for column in columns}
    if features is not None:
        facts["features"] = list(features)
    (folder / "model.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "MLmodel").write_text(_mlmodel(name, columns, task), encoding="utf-8")
    (folder / "requirements.txt").write_text(_requirements(), encoding="utf-8")
    (folder / "python_env.yaml").write_text(f"python: {_python()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n", encoding="utf-8")
    return folder


def _columns(inputs: Iterable[Mapping[str, str]] | Mapping[str, str]) -> list[dict[str, str]]:
    pairs = [{"name": key, "type": value} for key, value in inputs.items()] if isinstance(inputs, Mapping) else [{"name": item["name"], "type": item["type"]} for item in inputs]
    if not pairs:
        raise EsteiraError("inputs is empty; name the columns that the model takes")
    names = [pair["name"] for pair in pairs]
    if len(set(names)) != len(names):
        raise EsteiraError("inputs names a column twice")
    for pair in pairs:
        if pair["type"] not in TYPES:
            raise EsteiraError(f'input "{pair["name"]}" has type {pair["type"]!r}; expected one of {", ".join(TYPES)}')
    return pairs


def _bytes(model: Any) -> bytes:
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if hasattr(model, "SerializeToString"):
        return bytes(model.SerializeToString())
    if isinstance(model, (str, Path)):
        return Path(model).read_bytes()
    raise EsteiraError(f"A model of type {type(model).__name__} cannot be saved; give an onnx.ModelProto, its bytes or a path (skl2onnx.to_onnx converts scikit-learn models)")


def _outputs(payload: bytes, task: str) -> list[dict[str, str]]:
    try:
        import onnx
    except ImportError:
        if task == "regression":
            return [{"name": "prediction", "type": "float"}]
        return [{"name": "label", "type": "integer"}, {"name": "probability", "type": "float"}]
    kinds = {onnx.TensorProto.FLOAT: "float", onnx.TensorProto.DOUBLE: "float", onnx.TensorProto.STRING: "string", onnx.TensorProto.BOOL: "boolean"}
    graph = onnx.load_from_string(payload).graph
    return [{"name": value.name, "type": kinds.get(value.type.tensor_type.elem_type, "integer") if value.type.HasField("tensor_type") else "map"} for value in graph.output]


def _plain(value: Any) -> Any:
    """numpy scalars and timestamps as JSON values."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _mlmodel(name: str, columns: list[dict[str, str]], task: str) -> str:
    """An MLmodel file of MLflow's onnx flavour; JSON is YAML, and a JSON string inside stays one."""
    step = context()
    signature_inputs = json.dumps([{"type": _MLFLOW_TYPES[column["type"]], "name": column["name"], "required": True} for column in columns])
    signature_outputs = json.dumps([{"type": "float", "name": "probability" if task == "binary_classification" else "prediction", "required": True}])
    import os

    facts = {
        "artifact_path": name,
        "flavors": {
            "onnx": {"onnx_version": _version("onnx"), "data": "model.onnx", "code": None, "providers": ["CPUExecutionProvider"], "onnx_session_options": None},
            "python_function": {"loader_module": "mlflow.onnx", "python_version": _python(), "data": "model.onnx", "env": {"virtualenv": "python_env.yaml"}},
        },
        "mlflow_version": _version("mlflow-skinny") or _version("mlflow"),
        "run_id": os.environ.get("MLFLOW_RUN_ID"),
        "signature": {"inputs": signature_inputs, "outputs": signature_outputs, "params": None},
        "metadata": {"esteira": {"project": step.project, "step_run_id": step.step_run_id}},
    }
    return json.dumps({key: value for key, value in facts.items() if value is not None}, indent=2) + "\n"


def _python() -> str:
    import sys

    return ".".join(map(str, sys.version_info[:3]))


def _requirements() -> str:
    """What loads the graph: at the versions of this environment where it has them, which need not hold the runtime."""
    client = "mlflow" if _version("mlflow") else "mlflow-skinny"
    packages = {name: _version(name) for name in (client, "numpy", "onnx", "onnxruntime", "pandas")}
    return "".join(f"{name}\n" if version is None else f"{name}=={version}\n" for name, version in packages.items())


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
