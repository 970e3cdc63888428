"""Makes the Python models of the tests below the folder given, with scikit-learn's own answers beside them."""

import json
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path(sys.argv[1])
PACKAGES = sys.argv[2].split()
random = np.random.default_rng(7)
rows = pd.DataFrame({"distance": random.uniform(100, 2500, 300), "hour": random.integers(0, 24, 300), "origin": random.choice(["ATL", "ORD", "JFK"], 300)})
late = ((rows["distance"] > 1200) ^ (random.uniform(size=300) < 0.1)).astype(int)
part = np.where(rows["hour"] < 12, "morning", np.where(rows["hour"] < 18, "afternoon", "evening"))


def pipeline(last):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(make_column_transformer((numbers, ["distance", "hour"]), (OneHotEncoder(handle_unknown="ignore"), ["origin"])), last)


class Slow(mlflow.pyfunc.PythonModel):
    """Takes as many milliseconds as its first input says; below zero it ends its process, or writes much."""

    def predict(self, context, model_input, params=None):
        import os
        import time

        wanted = float(model_input["distance"].iloc[0])
        if wanted == -1:
            print("about to end", flush=True)
            os._exit(7)
        if wanted == -2:
            for _ in range(2000):
                print("x" * 1000)
        if wanted == -3:
            raise ValueError("no distance is below zero")
        if wanted == -4:
            import urllib.request

            port = int(model_input["hour"].iloc[0])
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        if wanted == -5:
            bytearray(3 * 2**30)
        if wanted == -6:
            import subprocess

            for _ in range(20):
                subprocess.Popen(["sleep", "9971"])
        if wanted == -7:
            for _ in range(1024):
                print("x" * 2**20)
        if wanted == -8:
            import random

            self.who = getattr(self, "who", None) or random.SystemRandom().random()
            time.sleep(1)
            return np.full(len(model_input), self.who)
        if wanted == -9:
            self.leaked = getattr(self, "leaked", [])
            self.leaked.append(np.ones(60_000_000))
        time.sleep(max(wanted, 0) / 1000)
        return np.full(len(model_input), 0.5)


class Dead(mlflow.pyfunc.PythonModel):
    """Ends its process while it is loaded."""

    def load_context(self, context):
        import os

        print("no licence was found", flush=True)
        os._exit(9)

    def predict(self, context, model_input, params=None):
        return np.full(len(model_input), 0.5)


class Outputs(mlflow.pyfunc.PythonModel):
    """Answers in the form that it is made for."""

    def __init__(self, form):
        self.form = form

    def predict(self, context, model_input, params=None):
        from collections import namedtuple

        distance = model_input["distance"].to_numpy()
        rows = len(distance)
        if self.form == "frame":
            return pd.DataFrame({"low": distance - 1, "high": distance + 1})
        if self.form == "series":
            return pd.Series(distance, name="minutes")
        if self.form == "matrix":
            return np.column_stack([distance, distance * 2, distance * 3]).astype("float32")
        if self.form == "mapping":
            return {
                "score": distance,
                "embedding": np.stack([distance] * 4, axis=1),
                "grid": np.tile(np.arange(4).reshape(1, 2, 2), (rows, 1, 1)),
                "label": ["São Paulo" if value > 1 else "" for value in distance],
                "tags": [["a", "b ☀"]] * rows,
                "key": np.full(rows, 2**53 + 1),
                "is_far": distance > 1,
                "maybe": [None if value > 1 else 1.5 for value in distance],
                "when": pd.to_datetime(["2026-01-02T03:04:05"] * rows),
            }
        if self.form == "times":
            moment = "2026-01-02T03:04:05.123456789"
            return {
                "nanoseconds": np.array([moment] * rows, dtype="datetime64[ns]"),
                "pairs": np.array([[moment, "NaT"]] * rows, dtype="datetime64[ns]"),
                "seconds": np.array([moment] * rows, dtype="datetime64[s]"),
                "day": np.array([moment] * rows, dtype="datetime64[D]"),
                "zoned": pd.Series([moment] * rows, dtype="datetime64[ns, UTC]"),
                "took": np.full(rows, 3_600_000_000_001, dtype="timedelta64[ns]"),
                "objects": np.array([np.datetime64(moment, "ns"), None] * rows, dtype=object)[:rows],
            }
        if self.form == "tuple":
            return namedtuple("Answer", ["one", "two"])(distance, distance * 2)
        if self.form == "records":
            return [{"name": f"n{value:g}", "value": float(value)} for value in distance]
        if self.form == "texts":
            return [f"about {value:g}" for value in distance]
        if self.form == "ragged":
            return [[1.0] * (row + 1) for row in range(rows)] if rows > 1 else [[1.0]]
        if self.form == "one":
            return float(distance.sum())
        return None


class Streaming(mlflow.pyfunc.PythonModel):
    """Answers a text in parts; says of itself how many parts it computed, and how many streams are over."""

    computed = 0
    over = 0

    def predict(self, context, model_input, params=None):
        rows = len(model_input)
        return {"computed": [self.computed] * rows, "over": [self.over] * rows}

    def predict_stream(self, context, model_input, params=None):
        import os
        import time

        def first(value):
            return value.iloc[0] if hasattr(value, "iloc") else value

        text, count, wait = str(first(model_input["text"])), int(first(model_input["count"])), float(first(model_input["wait"]))
        if text == "refused":
            raise ValueError("no such text")
        try:
            for part in range(count):
                time.sleep(wait / 1000)
                if text == "fails" and part == 2:
                    raise RuntimeError("nothing comes to mind")
                if text == "dies" and part == 2:
                    os._exit(7)
                self.computed += 1
                if text == "times":
                    yield {"at": np.datetime64("2026-01-02T03:04:05.123456789", "ns"), "all": np.array(["2026-01-02", "NaT"], dtype="datetime64[ns]")}
                    continue
                yield {"choices": [{"delta": {"content": f"{part} ☀"}, "logprob": float("nan")}]} if text == "dict" else f"{text}{part} "
        finally:
            self.over += 1


def save(name, model, signature, task=None, **more):
    metadata = None if task is None else {"esteira.task": task, "esteira.label": "late"}
    facts = {"path": str(FOLDER / name), "signature": signature, "pip_requirements": PACKAGES, "metadata": metadata, **more}
    if isinstance(model, mlflow.pyfunc.PythonModel):
        mlflow.pyfunc.save_model(python_model=model, **facts)
    else:
        mlflow.sklearn.save_model(sk_model=model, serialization_format="cloudpickle", **facts)


probabilities = pipeline(LogisticRegression()).fit(rows, late)
parts = pipeline(LogisticRegression(max_iter=1000)).fit(rows, part)
distance = LinearRegression().fit(rows[["hour"]].astype(float), rows["distance"])
save("late", probabilities, infer_signature(rows, late), task="binary_classification", input_example=rows.head(1))
save("part", parts, infer_signature(rows, part))
save("distance", distance, infer_signature(rows[["hour"]].astype(float), distance.predict(rows[["hour"]].astype(float))))
save("unsigned", probabilities, None, task="binary_classification")
save("untold", probabilities, infer_signature(rows, late))
two = rows[["distance", "hour"]].astype(float)
save("slow", Slow(), infer_signature(two, np.full(300, 0.5)), task="binary_classification")
save("dead", Dead(), infer_signature(two, np.full(300, 0.5)), task="binary_classification")
for form in ("frame", "series", "matrix", "mapping", "times", "tuple", "records", "texts", "ragged", "one", "nothing"):
    save(f"outputs-{form}", Outputs(form), infer_signature(two), task="outputs", input_example=two.head(1))
asked = pd.DataFrame({"text": ["a"], "count": [3], "wait": [0.0]})
save("streaming", Streaming(), infer_signature(asked), task="outputs", input_example=asked)

asked = rows.head(40)
lacking = asked.head(1).assign(distance=np.nan)
(FOLDER / "expected.json").write_text(
    json.dumps(
        {
            "rows": json.loads(asked.to_json(orient="records", double_precision=15)),
            "late": probabilities.predict_proba(pd.DataFrame(json.loads(asked.to_json(orient="records", double_precision=15))))[:, 1].tolist(),
            "part": [str(label) for label in parts.predict(asked)],
            "distance": distance.predict(asked[["hour"]].astype(float)).tolist(),
            "withoutDistance": float(probabilities.predict_proba(lacking)[0, 1]),
        }
    )
)
