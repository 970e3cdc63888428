"""Makes the samples of bench/drift.ts, and computes Evidently's data drift preset on them.

python drift_peer.py make FOLDER ROWS      writes one file per column and side
python drift_peer.py report FOLDER         prints {"seconds", "scores": {column: score}, "methods": {column: method}}
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

NUMERIC, INTEGER, CATEGORICAL = 20, 5, 5


def make(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    for side, shift in (("reference", 0.0), ("current", 0.15)):
        for column in range(NUMERIC):
            drift = shift if column % 3 == 0 else 0.0
            values = random.normal(drift, 1, rows) if column % 2 else random.gamma(2 + drift, 1, rows)
            values.astype("<f8").tofile(folder / f"{side}.n{column}")
        for column in range(INTEGER):
            random.poisson(20 + 40 * shift * (column % 2), rows).astype("<f8").tofile(folder / f"{side}.i{column}")
        for column in range(CATEGORICAL):
            weights = np.arange(1, 12 + column) ** (1 + shift * (column % 2))
            random.choice(len(weights), rows, p=weights / weights.sum()).astype("<f8").tofile(folder / f"{side}.c{column}")


def read(folder, side):
    import pandas as pd

    columns = {}
    for column in range(NUMERIC):
        columns[f"n{column}"] = np.fromfile(folder / f"{side}.n{column}", "<f8")
    for column in range(INTEGER):
        columns[f"i{column}"] = np.fromfile(folder / f"{side}.i{column}", "<f8").astype("int64")
    for column in range(CATEGORICAL):
        codes = np.fromfile(folder / f"{side}.c{column}", "<f8").astype("int64")
        columns[f"c{column}"] = np.array([f"k{code}" for code in range(codes.max() + 1)], dtype=object)[codes]
    return pd.DataFrame(columns)


def report(folder):
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frames = {side: read(folder, side) for side in ("reference", "current")}
    names = list(frames["current"].columns)
    definition = DataDefinition(numerical_columns=[name for name in names if name[0] != "c"], categorical_columns=[name for name in names if name[0] == "c"])
    start = time.perf_counter()
    result = Report([DataDriftPreset()]).run(
        Dataset.from_pandas(frames["current"], data_definition=definition), Dataset.from_pandas(frames["reference"], data_definition=definition)
    )
    document = result.dict()
    seconds = time.perf_counter() - start
    scores, methods = {}, {}
    for metric in document["metrics"]:
        config = metric.get("config", metric.get("params", {})) or {}
        column = config.get("column")
        if column is not None:
            scores[column] = float(metric["value"])
            methods[column] = str(config.get("method"))
    print(json.dumps({"seconds": seconds, "scores": scores, "methods": methods}))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    make(target, int(sys.argv[3])) if sys.argv[1] == "make" else report(target)
