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
        self.streams: dict[int, Any] = {}

    def exact(self) -> list[str]:
        """Inputs that have no form for a missing value."""
        return [name for name, dtype in zip(self.names, self.dtypes) if dtype in ("int64", "int32", "bool")]

    def has_stream(self) -> bool:
        """True where the model's own code has predict_stream, not only the class it inherits from."""
        import mlflow.pyfunc

        if getattr(self.model, "_predict_stream_fn", None) is None:
            return False
        try:
            own = self.model.unwrap_python_model()
        except Exception:
            return True
        return getattr(type(own), "predict_stream", None) is not mlflow.pyfunc.PythonModel.predict_stream

    def stream(self, header: dict[str, Any], body: memoryview) -> dict[str, Any]:
        """Begins a stream of one row, a mapping of its columns; answers its first part."""
        frame = self.frame(header, body)
        row = {name: _scalar(frame[name].iloc[0]) for name in self.names}
        self.streams[header["stream"]] = iter(self.model.predict_stream(row))
        return self.next(header["stream"])

    def next(self, stream: int) -> dict[str, Any]:
        try:
            return {"ok": True, "chunk": _plain(next(self.streams[stream]))}
        except StopIteration:
            del self.streams[stream]
            return {"ok": True, "done": True}
        except BaseException:
            del self.streams[stream]
            raise

    def stop(self, stream: int) -> dict[str, Any]:
        left = self.streams.pop(stream, None)
        if hasattr(left, "close"):
            left.close()
        return {"ok": True, "done": True}

    def _classifier(self) -> Any:
        """What gives probabilities, where the task wants them and the library has them."""
        if self.task in ("regression", "outputs") or "python_function" not in self.model.metadata.flavors:
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
        if self.task == "outputs":
            return _outputs(self.model.predict(frame), len(frame))
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
            raise Unusable(f"it answered {width} numbers per row; a {self.task} answers {'1' if self.task == 'regression' else '1 or 2'}; the task outputs takes any shape")
        return {"ok": True}, shares[:, width - 1].tobytes()


def _outputs(answer: Any, rows: int) -> tuple[dict[str, Any], bytes]:
    """What a model of the task outputs gave: each output with its name, its type and the shape of one row."""
    found = [(str(name), *_tensor(values, str(name), rows)) for name, values in _named(answer).items()]
    if not found:
        raise Unusable("it answered no output")
    described = [{"name": name, "datatype": datatype, "shape": list(shape), **({} if texts is None else {"texts": texts})} for name, datatype, shape, texts, _ in found]
    return {"ok": True, "outputs": described}, b"".join(body for *_, body in found)


def _named(answer: Any) -> dict[Any, Any]:
    """Outputs by name, of whatever a model may answer with: a table, a mapping, a tuple, records, an array, a list."""
    import pandas as pd

    if answer is None:
        raise Unusable("it answered nothing")
    if isinstance(answer, pd.DataFrame):
        if not answer.columns.is_unique:
            raise Unusable(f"it answered a table with a column twice: {', '.join(map(str, answer.columns))}")
        return {name: answer[name] for name in answer.columns}
    if isinstance(answer, pd.Series):
        return {answer.name or "prediction": answer}
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, tuple):
        names = getattr(answer, "_fields", None) or [f"output_{position}" for position in range(len(answer))]
        return dict(zip(names, answer))
    if isinstance(answer, list) and answer and all(isinstance(row, dict) for row in answer):
        names = list(answer[0])
        if any(set(row) != set(names) for row in answer):
            raise Unusable(f"it answered rows with other keys than {', '.join(map(str, names))}")
        return {name: [row[name] for row in answer] for name in names}
    return {"prediction": answer}


_KINDS = {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}
_WIDE = {"FP64": "<f8", "FP32": "<f4", "INT64": "<i8", "BOOL": "u1"}


def _tensor(values: Any, name: str, rows: int) -> tuple[str, tuple[int, ...], list[str] | None, bytes]:
    """One output: its datatype, the shape of a row, its texts or the bytes of its numbers."""
    import numpy as np

    array = _array(values, name)
    if array.ndim == 0 and rows == 1:
        array = array.reshape(1)
    if array.ndim == 0 or array.shape[0] != rows:
        raise Unusable(f'its output "{name}" has the shape {list(array.shape)} for {rows} rows; its first dimension must be the rows')
    if array.ndim > 32:
        raise Unusable(f'its output "{name}" has {array.ndim} dimensions')
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and array.size and array.max() > 2**63 - 1:
        raise Unusable(f'its output "{name}" holds {array.max()}, more than a whole number of 64 bits with a sign')
    if array.dtype.kind in _KINDS:
        narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
        datatype = "FP32" if narrow else _KINDS[array.dtype.kind]
        return datatype, array.shape[1:], None, np.ascontiguousarray(array, dtype=_WIDE[datatype]).tobytes()
    if array.dtype.kind in "mM":
        return "BYTES", array.shape[1:], _times(array), b""
    return "BYTES", array.shape[1:], [_text(value) for value in array.reshape(-1).tolist()], b""


def _times(array: Any) -> list[str]:
    """Times, dates and durations in the form of ISO 8601, row-major; numpy itself makes whole numbers of nanoseconds."""
    import numpy as np
    import pandas as pd

    flat = array.reshape(-1)
    unit = np.datetime_data(flat.dtype)[0]
    if flat.dtype.kind == "M" and unit in ("Y", "M", "W", "D"):
        texts = np.datetime_as_string(flat.astype("datetime64[D]")).tolist()
        return ["" if text == "NaT" else text for text in texts]
    if unit in ("Y", "M", "ps", "fs", "as"):
        flat = flat.astype(f"{'datetime64' if flat.dtype.kind == 'M' else 'timedelta64'}[ns]")
    return ["" if value is pd.NaT else value.isoformat() for value in pd.Series(flat)]


def _array(values: Any, name: str) -> Any:
    """An array of numbers, truth values or texts; of objects only where they are texts or something like it."""
    import numpy as np

    for step in ("detach", "cpu"):
        values = getattr(values, step)() if hasattr(values, step) else values
    if str(getattr(values, "dtype", "")) == "torch.bfloat16":
        values = values.float()
    if hasattr(values, "toarray"):
        values = values.toarray()
    if hasattr(values, "isna") and str(getattr(values, "dtype", "object")) not in ("object", "category"):
        # Columns of pandas with missing whole numbers or truth values have no array of them.
        missing = values.isna()
        if str(values.dtype).lower().startswith(("int", "uint", "bool", "float")) and missing.any():
            return values.astype("float64").to_numpy()
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values
    cells = list(values) if isinstance(values, np.ndarray) and values.ndim == 1 else values
    try:
        array = np.asarray([0.0 if cell is None else cell for cell in cells] if isinstance(cells, list) and any(cell is None for cell in cells) else cells)
    except ValueError:
        raise Unusable(f'its output "{name}" holds lists of several lengths; each row must have the same shape') from None
    if isinstance(cells, list) and any(cell is None for cell in cells):
        if array.dtype.kind in "iufb" and array.ndim == 1:
            return np.array([np.nan if cell is None else float(cell) for cell in cells])
        return np.array(cells, dtype=object)
    if array.dtype.kind in "US" and not _are_texts(cells):
        return np.asarray(cells, dtype=object)
    if array.dtype.kind == "O" and isinstance(cells, list) and any(isinstance(cell, (list, tuple, np.ndarray)) for cell in cells) and array.ndim == 1:
        raise Unusable(f'its output "{name}" holds lists of several lengths; each row must have the same shape')
    return array


def _are_texts(cells: Any) -> bool:
    """numpy makes texts of numbers that stand beside texts."""
    return all(_are_texts(cell) if isinstance(cell, (list, tuple)) or getattr(cell, "ndim", 0) > 0 else isinstance(cell, str) for cell in cells) if not isinstance(cells, str) else True


def _text(value: Any) -> str:
    import base64

    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if _is_time(value):
        import numpy as np

        return _times(np.asarray([value]))[0]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list, tuple, bool)) else str(value)


def _is_time(value: Any) -> bool:
    """True for times and durations of numpy, one or many."""
    return getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M")


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _plain(value: Any) -> Any:
    """A part of a stream as JSON has it: NaN and infinity are null."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(exclude_none=True)
    elif hasattr(value, "to_dict") and not isinstance(value, dict):
        value = value.to_dict()
    for step in ("detach", "cpu"):
        value = getattr(value, step)() if hasattr(value, step) else value
    if _is_time(value):
        return [_plain(each) for each in value] if getattr(value, "ndim", 0) > 0 else _text(value) or None
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if value is None or isinstance(value, (str, bool, int)) else _text(value)


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
    if values.dtype.kind in "mM":
        raise Unusable(f"it answered {values.dtype} where numbers were expected")
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
                answer: tuple[dict[str, Any], bytes] = {"ok": True, "exact": model.exact(), "streams": model.has_stream()}, b""
            elif header["kind"] == "stream":
                assert model is not None
                answer = model.stream(header, body), b""
            elif header["kind"] == "next":
                assert model is not None
                answer = model.next(header["stream"]), b""
            elif header["kind"] == "stop":
                assert model is not None
                answer = model.stop(header["stream"]), b""
            else:
                assert model is not None
                answer = model.predict(header, body)
        except Exception as error:
            answer = _problem(error), b""
        _write(writer, *answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
