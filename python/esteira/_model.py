"""Saving a model: its files, its signature, and what the mlflow client needs to load it elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ._context import EsteiraError, context, output

TASKS = ("binary_classification", "multiclass_classification", "regression", "outputs")
TYPES = ("float", "integer", "string", "boolean")
_MLFLOW_TYPES = {"float": "float", "integer": "long", "string": "string", "boolean": "boolean"}


def save_model(
    name: str,
    model: Any,
    *,
    task: str | None = None,
    inputs: Any,
    label: str | None = None,
    example: Mapping[str, Any] | None = None,
    features: Iterable[str] | None = None,
) -> Path:
    """Saves a model as asset `name`, which this step makes.

    model    an ONNX graph (`onnx.ModelProto`, its bytes, the path of an `.onnx` file), or any model of Python: of
             scikit-learn, XGBoost, LightGBM, CatBoost, PyTorch or statsmodels, an `mlflow.pyfunc.PythonModel`, a
             function of a DataFrame, or any object with `predict` that can be pickled
    task     binary_classification, multiclass_classification or regression; may be left out where the model tells;
             outputs: whatever the model gives, under its own names, in any shape
    inputs   the columns the model takes, in order: {"distance": "float", …}, [{"name": …, "type": …}, …] or a
             DataFrame that has them; types: float, integer, string, boolean
    label    the column the model predicts
    example  one row that the model accepts; it is tried before an endpoint takes the model
    features the features it reads online (`view:feature`), when it was trained on a join

    Returns the folder with the model, `model.json`, `MLmodel`, and the environment that loads it elsewhere.
    """
    columns = _columns(inputs)
    payload = _graph(model)
    task = task if task is not None or payload is not None else _task(model)
    if task not in TASKS:
        raise EsteiraError(f"task is {task!r}; expected one of {', '.join(TASKS)}")
    if example is not None:
        missing = [column["name"] for column in columns if column["name"] not in example]
        if missing:
            raise EsteiraError(f"The example row lacks {', '.join(missing)}")
    folder = output(name)
    facts: dict[str, Any] = {"format": "esteira.model/1", "task": task, "inputs": columns}
    if label is not None:
        facts["label"] = label
    if example is not None:
        facts["example"] = {column["name"]: _plain(example[column["name"]]) for column in columns}
    if features is not None:
        facts["features"] = list(features)
    if payload is None:
        _save_python(folder, model, columns, task)
        facts |= {"runtime": "python", "file": "MLmodel"}
    else:
        _save_graph(folder, payload, name, columns, task)
        facts |= {"runtime": "onnx", "file": "model.onnx", "outputs": _outputs(payload, task)}
    (folder / "model.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def _save_graph(folder: Path, payload: bytes, name: str, columns: list[dict[str, str]], task: str) -> None:
    (folder / "model.onnx").write_bytes(payload)
    (folder / "MLmodel").write_text(_mlmodel(name, columns, task), encoding="utf-8")
    (folder / "requirements.txt").write_text(_requirements(), encoding="utf-8")
    (folder / "python_env.yaml").write_text(f"python: {_python()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n", encoding="utf-8")


#: Packages whose models MLflow has a flavor for, in the order they are looked for: XGBoost's classifiers are scikit-learn's too.
_FLAVORS = {
    "xgboost": ("xgboost", "xgb_model"),
    "lightgbm": ("lightgbm", "lgb_model"),
    "catboost": ("catboost", "cb_model"),
    "torch": ("pytorch", "pytorch_model"),
    "statsmodels": ("statsmodels", "statsmodels_model"),
    "sklearn": ("sklearn", "sk_model"),
}


def _save_python(folder: Path, model: Any, columns: list[dict[str, str]], task: str) -> None:
    try:
        import importlib

        import cloudpickle
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema
    except ImportError as error:
        raise EsteiraError(f"A model of type {type(model).__name__} is saved by MLflow, and {error.name} is not in the step's environment: add mlflow-skinny, cloudpickle and pandas to its requirements, or save an ONNX graph") from error
    types = {**_MLFLOW_TYPES, "float": "double"}
    signature = ModelSignature(inputs=Schema([ColSpec(types[column["type"]], column["name"]) for column in columns]))
    facts: dict[str, Any] = {"path": str(folder), "signature": signature, "pip_requirements": _installed(), "metadata": {"esteira.task": task}}
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    flavor, argument = next((known for package, known in _FLAVORS.items() if package in packages), ("pyfunc", "python_model"))
    own = [module for module in list(sys.modules.values()) if _is_own(module)]
    for module in own:
        cloudpickle.register_pickle_by_value(module)
    try:
        if flavor == "pyfunc" and not isinstance(model, mlflow.pyfunc.PythonModel):
            model = _wrap(model)
        if flavor == "sklearn":
            facts["serialization_format"] = "cloudpickle"
        if flavor == "pytorch":
            # The other format is a graph for one example; by pickle the model stays what it is.
            facts["serialization_format"] = "pickle"
        if flavor == "lightgbm" and hasattr(model, "fit"):
            facts["serialization_format"] = "cloudpickle"
        importlib.import_module(f"mlflow.{flavor}").save_model(**{argument: model}, **_accepted(flavor, facts))
    except Exception as error:
        raise EsteiraError(f"The model of type {type(model).__name__} cannot be saved with flavor {flavor} of MLflow: {type(error).__name__}: {error}") from error
    finally:
        for module in own:
            cloudpickle.unregister_pickle_by_value(module)


def _accepted(flavor: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Older clients know fewer options."""
    import importlib
    import inspect

    known = inspect.signature(importlib.import_module(f"mlflow.{flavor}").save_model).parameters
    return {key: value for key, value in facts.items() if key in known}


def _is_own(module: Any) -> bool:
    """A module of the project: pickled by value, because it does not exist where the model is loaded."""
    file = getattr(module, "__file__", None)
    if not file or getattr(module, "__name__", "__main__") == "__main__":
        return False
    path = Path(file)
    installed = "site-packages" in path.parts or any(path.is_relative_to(prefix) for prefix in {sys.prefix, sys.base_prefix})
    return not installed and path.is_relative_to(Path.cwd()) and not path.is_relative_to(Path(__file__).parent)


def _wrap(model: Any) -> Any:
    """A function, or an object with `predict`, as a PythonModel. The class is local: it is pickled with the model."""
    import mlflow.pyfunc

    if not hasattr(model, "predict") and not callable(model):
        raise EsteiraError(f"A model of type {type(model).__name__} cannot be saved: it is no function and has no predict")

    class Wrapped(mlflow.pyfunc.PythonModel):
        def __init__(self, model: Any) -> None:
            self.esteira_model = model

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return self.esteira_model.predict(model_input) if hasattr(self.esteira_model, "predict") else self.esteira_model(model_input)

    class Streamed(Wrapped):
        def predict_stream(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            yield from self.esteira_model.predict_stream(model_input)

    return Streamed(model) if hasattr(model, "predict_stream") else Wrapped(model)


def _task(model: Any) -> str:
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) >= 2:
        return "binary_classification" if len(classes) == 2 else "multiclass_classification"
    tags = getattr(model, "__sklearn_tags__", None)
    kind = getattr(tags(), "estimator_type", None) if callable(tags) else getattr(model, "_estimator_type", None)
    if kind == "regressor":
        return "regression"
    raise EsteiraError(f"A model of type {type(model).__name__} does not tell what it predicts: give task, one of {', '.join(TASKS)}")


def _columns(inputs: Any) -> list[dict[str, str]]:
    if hasattr(inputs, "dtypes"):
        pairs = [{"name": str(name), "type": _type_of(kind)} for name, kind in zip(inputs.columns, inputs.dtypes)]
    elif isinstance(inputs, Mapping):
        pairs = [{"name": key, "type": _type_of(value)} for key, value in inputs.items()]
    else:
        pairs = [{"name": item["name"], "type": _type_of(item["type"])} for item in inputs]
    if not pairs:
        raise EsteiraError("inputs is empty; name the columns that the model takes")
    names = [pair["name"] for pair in pairs]
    if len(set(names)) != len(names):
        raise EsteiraError("inputs names a column twice")
    for pair in pairs:
        if pair["type"] not in TYPES:
            raise EsteiraError(f'input "{pair["name"]}" has type {pair["type"]!r}; expected one of {", ".join(TYPES)}')
    return pairs


def _type_of(kind: Any) -> str:
    """One of TYPES for what MLflow, pandas and Python call it; what is none of them as it is."""
    dtype = kind.__name__ if isinstance(kind, type) else str(kind)
    lowered = dtype.lower()
    if lowered.startswith(("float", "double")):
        return "float"
    if lowered.startswith(("int", "uint", "long")):
        return "integer"
    if lowered.startswith("bool"):
        return "boolean"
    return "string" if lowered.startswith(("object", "str", "category", "utf8")) else dtype


def _graph(model: Any) -> bytes | None:
    """The bytes of an ONNX graph; None when it is none."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if hasattr(model, "SerializeToString") and hasattr(model, "graph"):
        return bytes(model.SerializeToString())
    if isinstance(model, (str, Path)):
        return Path(model).read_bytes()
    return None


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
    signature_outputs = None if task == "outputs" else json.dumps([{"type": "float", "name": "probability" if task == "binary_classification" else "prediction", "required": True}])
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
    return ".".join(map(str, sys.version_info[:3]))


#: The runtime that endpoints compute graphs with.
ONNXRUNTIME = "1.30.0"


def _requirements() -> str:
    """What loads the graph: at the versions of this environment where it has them, which need not hold the runtime."""
    client = "mlflow" if _version("mlflow") else "mlflow-skinny"
    packages = {name: _version(name) for name in (client, "numpy", "onnx", "pandas")}
    packages["onnxruntime"] = _version("onnxruntime") or ONNXRUNTIME
    return "".join(f"{name}\n" if version is None else f"{name}=={version}\n" for name, version in packages.items())


def _installed() -> list[str]:
    """Every package of this environment, at its version."""
    from importlib.metadata import distributions

    found = {distribution.metadata["Name"]: distribution.version for distribution in distributions() if distribution.metadata["Name"]}
    return sorted(f"{name}=={version}" for name, version in found.items() if name.lower() not in ("pip", "setuptools", "wheel"))


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
