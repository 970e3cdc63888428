"""The context of a step: read from the file that ESTEIRA_CONTEXT names, once."""

from __future__ import annotations

import difflib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class EsteiraError(RuntimeError):
    """The step asked for something that its declaration does not give it."""


class MissingParam(EsteiraError, KeyError):
    """A param that the step was not given: `params.get(name, default)` and `name in params` know it."""

    __str__ = Exception.__str__


class Input:
    """One version of an asset that the step reads."""

    def __init__(self, name: str, facts: Mapping[str, Any]) -> None:
        self.name = name
        self.format: str = facts["format"]
        #: Folder of the version's files, or of the Delta table. Read only.
        self.path = Path(facts["path"])
        #: The Parquet files that hold exactly this version's rows; of a tree, all its files.
        self.files: list[Path] = [Path(file) for file in facts.get("files") or []]
        self.columns: list[dict[str, str]] = list(facts.get("columns") or [])
        self.version: int | None = facts.get("version")
        self.digest: str | None = facts.get("digest")
        self.delta_version: int | None = facts.get("deltaVersion")

    def to_arrow(self, columns: list[str] | None = None) -> Any:
        """All rows as a pyarrow.Table; only the named columns when given."""
        self._must_be_table()
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.files:
            import pyarrow.dataset  # noqa: F401  an empty version still has its columns

            return pa.table({column["name"]: pa.array([], type=_arrow_type(column["type"])) for column in self.columns if columns is None or column["name"] in columns})
        tables = [pq.ParquetFile(file).read(columns=columns) for file in self.files]
        return pa.concat_tables(tables, promote_options="default")

    def to_pandas(self, columns: list[str] | None = None) -> Any:
        """All rows as a pandas.DataFrame."""
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: list[str] | None = None) -> Any:
        """All rows as a polars.DataFrame."""
        self._must_be_table()
        import polars

        if not self.files:
            return polars.from_arrow(self.to_arrow(columns))
        return polars.read_parquet([str(file) for file in self.files], columns=columns)

    def _must_be_table(self) -> None:
        if self.format != "delta/1":
            raise EsteiraError(f'Input "{self.name}" is a {self.format}, not a table: read the files below its .path')

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Input({self.name!r}, version={self.version}, path={str(self.path)!r})"


class Params(Mapping[str, Any]):
    """The step's params; a name that was not given says which ones were."""

    def __getitem__(self, name: str) -> Any:
        values = context().params
        if name not in values:
            raise MissingParam(f'No param "{name}" was given to this step{_nearest(name, values)}; given: {", ".join(sorted(values)) or "none"}')
        return values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(context().params)

    def __len__(self) -> int:
        return len(context().params)

    def __repr__(self) -> str:
        return f"Params({dict(self)!r})"


class Context:
    """Everything the platform told this process."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.project: str = facts["project"]
        self.pipeline: str = facts["pipeline"]
        self.step: str = facts["step"]
        self.step_run_id: str = facts["stepRunId"]
        self.attempt_id: str = facts["attemptId"]
        self.params: dict[str, Any] = dict(facts.get("params") or {})
        self.inputs: dict[str, Input] = {name: Input(name, value) for name, value in (facts.get("inputs") or {}).items()}
        self.item: Any = facts.get("item")
        self.partition: dict[str, Any] | None = facts.get("partition")
        self.steps: dict[str, Any] = dict(facts.get("steps") or {})
        self.output_folder = Path(facts["outputFolder"])


_context: Context | None = None
params = Params()


def context() -> Context:
    """The context of this step; an error when the process was not started by esteira."""
    global _context
    if _context is None:
        file = os.environ.get("ESTEIRA_CONTEXT")
        if not file:
            raise EsteiraError("This process was not started by esteira: ESTEIRA_CONTEXT is not set. Start it as a step: esteira run PIPELINE --only STEP")
        _context = Context(json.loads(Path(file).read_text(encoding="utf-8")))
    return _context


def input(name: str) -> Input:  # noqa: A001  the field's word
    """The version of asset `name` that this step reads."""
    inputs = context().inputs
    if name not in inputs:
        raise EsteiraError(f'This step has no input "{name}"{_nearest(name, inputs)}; its inputs: {", ".join(sorted(inputs)) or "none"}')
    return inputs[name]


def output(name: str, rows: Any = None) -> Path:
    """Folder for the files of asset `name`, which this step makes; with `rows`, they are written there as Parquet.

    `rows` is a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, or anything with `__arrow_c_stream__`.
    """
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise EsteiraError(f"An asset's name is no path: {name!r}")
    folder = context().output_folder / name
    folder.mkdir(parents=True, exist_ok=True)
    if rows is not None:
        _write_parquet(rows, folder / f"part-{len(list(folder.iterdir())):05d}.parquet")
    return folder


def set_output(name: str, value: Any) -> None:
    """Gives later steps `${{ steps.THIS.outputs.name }}`; what is no text is written as JSON."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,99}", name) is None:
        raise EsteiraError(f"{name!r} cannot name an output: letters, digits, _ and -, beginning with a letter or _")
    file = os.environ.get("ESTEIRA_OUTPUT")
    if not file:
        raise EsteiraError("This process was not started by esteira: ESTEIRA_OUTPUT is not set")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    mark = f"END_{uuid.uuid4().hex}"
    with open(file, "a", encoding="utf-8", newline="\n") as target:
        target.write(f"{name}<<{mark}\n{text}\n{mark}\n")


def results(step: str) -> Any:
    """What a step before this one gave: `outputs`, and `items` when it ran once per item."""
    steps = context().steps
    if step not in steps:
        raise EsteiraError(f'No results of step "{step}" are here{_nearest(step, steps)}: name it in needs, and let it have outputs, for_each or a matrix')
    return steps[step]


def _write_parquet(rows: Any, file: Path) -> None:
    if hasattr(rows, "write_parquet"):
        rows.write_parquet(file)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(rows, pa.Table):
        table = rows
    elif type(rows).__module__.startswith("pandas."):
        table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    elif isinstance(rows, pa.RecordBatchReader) or hasattr(rows, "__arrow_c_stream__"):
        table = pa.table(rows)
    else:
        raise EsteiraError(f"Rows of type {type(rows).__name__} cannot be written; give a pandas or polars DataFrame or a pyarrow Table")
    pq.write_table(table, file, compression="zstd")


def _nearest(name: str, valid: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _arrow_type(duckdb_type: str) -> Any:
    import pyarrow as pa

    simple = {
        "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "INTEGER": pa.int32(), "BIGINT": pa.int64(),
        "FLOAT": pa.float32(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(), "BLOB": pa.binary(), "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    }
    return simple.get(duckdb_type.upper(), pa.string())
