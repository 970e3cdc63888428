"""Serves one MLflow model to the process that started this one, over a socket; see runtime/python in serving.

    python _serve.py MODEL_FOLDER SOCKET

A frame is two lengths (unsigned 32 bit, lowest byte first), a JSON header and a body. Numbers travel in the
body as 64-bit floats, column after column, or, where the header says so, as whole numbers of 64 bits; texts in
the header, or, where they repeat, the different ones there and the place of each as a 32-bit number behind the
numbers. No package is needed beside the model's own.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import traceback
from typing import Any

#: What each MLflow type is to numpy. Texts stay objects.
_DTYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32", "boolean": "bool"}


class Unusable(Exception):
    """The model is not what its description says."""


class Model:
    """A loaded model with what its callers know of it."""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        import mlflow.pyfunc

        self.task: str = facts["task"]
        self.names: list[str] = [column["name"] for column in facts["inputs"]]
        self.is_text: list[bool] = [column["type"] == "string" for column in facts["inputs"]]
        self.model = mlflow.pyfunc.load_model(folder)
        schema = self.model.metadata.get_input_schema()
        types = {column.name: column.type.name for column in schema.inputs} if schema is not None and schema.has_input_names() else {}
        unknown = [name for name in self.names if name not in types]
        if unknown or len(types) != len(self.names):
            raise Unusable(f"its description names the inputs {', '.join(self.names)}, its signature {', '.join(types) or 'none'}")
        self.dtypes = [_DTYPES.get(types[name]) for name in self.names]
        self.classifier = self._classifier()

    def exact(self) -> list[str]:
        """Inputs that have no form for a missing value."""
        return [name for name, dtype in zip(self.names, self.dtypes) if dtype in ("int64", "int32", "bool")]

    def _classifier(self) -> Any:
        """What gives probabilities, where the task wants them and the library has them."""
        if self.task == "regression" or "python_function" not in self.model.metadata.flavors:
            return None
        if not {"sklearn", "xgboost", "lightgbm", "catboost"} & set(self.model.metadata.flavors):
            return self._wrapped()
        raw = self.model.get_raw_model()
        return raw if hasattr(raw, "predict_proba") and hasattr(raw, "classes_") else None

    def _wrapped(self) -> Any:
        """What esteira.save_model wrapped, where it is a classifier of another library."""
        try:
            raw = getattr(self.model.unwrap_python_model(), "esteira_model", None)
        except Exception:
            return None
        return raw if hasattr(raw, "predict_proba") and hasattr(raw, "classes_") else None

    def frame(self, header: dict[str, Any], body: memoryview) -> Any:
        import numpy as np
        import pandas as pd

        rows, number, columns = header["rows"], 0, {}
        texts = iter(header["texts"])
        codes = rows * 8 * self.is_text.count(False)
        whole = set(header.get("whole", ()))
        for name, is_text, dtype in zip(self.names, self.is_text, self.dtypes):
            if is_text:
                found = next(texts)
                if isinstance(found, dict):
                    places = np.frombuffer(body, dtype="<i4", count=rows, offset=codes)
                    codes += rows * 4
                    found = np.array(found["values"], dtype=object)[places]
                columns[name] = pd.Series(found, dtype=object)
                continue
            values = np.frombuffer(body, dtype="<i8" if number in whole else "<f8", count=rows, offset=number * rows * 8)
            number += 1
            if dtype == "int32" and rows and (values.min() < -(2**31) or values.max() >= 2**31):
                raise ValueError(f"{name} takes whole numbers of 32 bits")
            columns[name] = values.astype(dtype or "float64")
        return pd.DataFrame(columns, columns=self.names)

    def predict(self, header: dict[str, Any], body: memoryview) -> tuple[dict[str, Any], bytes]:
        frame = self.frame(header, body)
        if self.classifier is not None:
            shares = _matrix(self.classifier.predict_proba(frame), len(frame))
            labels = [str(label) for label in self.classifier.classes_]
        else:
            answer = self.model.predict(frame)
            if self.task == "multiclass_classification" and not _is_matrix_of_floats(answer):
                return {"ok": True, "labels": [str(label) for label in _flat(answer, len(frame))], "classCount": 0}, b""
            shares = _matrix(answer, len(frame))
            labels = [str(position) for position in range(shares.shape[1])]
        if self.task == "multiclass_classification":
            return {"ok": True, "labels": [labels[position] for position in shares.argmax(axis=1)], "classCount": shares.shape[1]}, shares.tobytes()
        width = shares.shape[1]
        if width != 1 and not (width == 2 and self.task == "binary_classification"):
            raise Unusable(f"it answered {width} numbers per row; a {self.task} answers {'1' if self.task == 'regression' else '1 or 2'}")
        return {"ok": True}, shares[:, width - 1].tobytes()


def _is_matrix_of_floats(answer: Any) -> bool:
    import numpy as np

    values = np.asarray(answer)
    return values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind == "f"


def _flat(answer: Any, rows: int) -> Any:
    import numpy as np

    values = np.asarray(answer)
    if values.size != rows:
        raise Unusable(f"it answered {values.size} labels for {rows} rows")
    return values.reshape(rows)


def _matrix(answer: Any, rows: int) -> Any:
    import numpy as np

    values = np.asarray(answer)
    if values.dtype.kind not in "biuf":
        try:
            values = values.astype("float64")
        except (TypeError, ValueError):
            raise Unusable(f"it answered {values.dtype} where numbers were expected, such as {values.reshape(-1)[:1].tolist()}") from None
    if values.ndim == 0 or values.shape[0] != rows or values.ndim > 2:
        raise Unusable(f"it answered the shape {list(values.shape)} for {rows} rows")
    return np.ascontiguousarray(values.reshape(rows, -1), dtype="<f8")


def _read(stream: Any) -> tuple[dict[str, Any], memoryview] | None:
    prefix = stream.read(8)
    if len(prefix) < 8:
        return None
    header_bytes, body_bytes = struct.unpack("<II", prefix)
    header = json.loads(stream.read(header_bytes))
    return header, memoryview(stream.read(body_bytes))


def _write(stream: Any, header: dict[str, Any], body: bytes) -> None:
    text = json.dumps(header).encode()
    stream.write(struct.pack("<II", len(text), len(body)) + text)
    stream.write(body)
    stream.flush()


def _problem(error: BaseException) -> dict[str, Any]:
    """What was wrong, and where in the model's own code."""
    if not isinstance(error, Unusable):
        traceback.print_exception(error)
    said = str(error) if isinstance(error, Unusable) else f"{type(error).__name__}: {error}"
    # By Python's own rule a ValueError is about the value; how many are wrong, and which, is in its words.
    return {"ok": False, "problem": said[:2000], "refused": isinstance(error, ValueError)}


def main(folder: str, address: str) -> None:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    reader, writer = connection.makefile("rb"), connection.makefile("wb")
    model: Model | None = None
    while (message := _read(reader)) is not None:
        header, body = message
        try:
            if header["kind"] == "load":
                model = Model(folder, header)
                answer: tuple[dict[str, Any], bytes] = {"ok": True, "exact": model.exact()}, b""
            else:
                assert model is not None
                answer = model.predict(header, body)
        except Exception as error:
            answer = _problem(error), b""
        _write(writer, *answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
