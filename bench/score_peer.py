"""The bare model of bench/score.ts: makes models and rows, and scores them as one would by hand.

    python score_peer.py make FOLDER ROWS | onnx FOLDER | sklearn FOLDER
"""

import json
import sys
import time
from pathlib import Path

BATCH = 65_536
NUMBERS = [f"f{position}" for position in range(8)]


def make(folder: Path, rows: int) -> None:
    import mlflow.sklearn
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from mlflow.models import infer_signature
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.default_rng(5)
    numbers = {name: random.normal(size=rows) for name in NUMBERS}
    frame = pd.DataFrame({"id": np.arange(rows), "origin": random.choice([f"airport {i}" for i in range(200)], rows), **numbers})
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "rows.parquet", row_group_size=BATCH)
    train = frame.head(20_000)
    late = (train["f0"] + train["f1"] * train["f2"] > 0.3).astype(int)
    boosted = GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.2).fit(train[NUMBERS].to_numpy("float32"), late)
    onnx = to_onnx(boosted, initial_types=[("X", FloatTensorType([None, len(NUMBERS)]))], options={"zipmap": False})
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(onnx.SerializeToString())
    inputs = ["origin", *NUMBERS]
    steps = ColumnTransformer([("n", StandardScaler(), NUMBERS), ("c", OneHotEncoder(handle_unknown="ignore"), ["origin"])])
    pipeline = Pipeline([("prepare", steps), ("model", LogisticRegression(max_iter=500))]).fit(train[inputs], late)
    signature = infer_signature(train[inputs])
    mlflow.sklearn.save_model(pipeline, str(folder / "sklearn"), signature=signature, serialization_format="cloudpickle", metadata={"esteira.task": "binary_classification"})


def score(kind: str, folder: Path) -> None:
    start = time.perf_counter()
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))

        def predict(table: pa.RecordBatch) -> np.ndarray:
            matrix = np.stack([table[name].to_numpy() for name in NUMBERS], axis=1).astype("float32")
            return session.run(["probabilities"], {"X": matrix})[0][:, 1]

        names = NUMBERS
    else:
        import mlflow.pyfunc

        model = mlflow.pyfunc.load_model(str(folder / "sklearn")).get_raw_model()
        names = ["origin", *NUMBERS]

        def predict(table: pa.RecordBatch) -> np.ndarray:
            return model.predict_proba(table.select(names).to_pandas())[:, 1]

    loaded = time.perf_counter()
    predicting = 0.0
    rows = 0
    schema = pa.schema([("id", pa.int64()), ("prediction", pa.float64())])
    with pq.ParquetWriter(folder / f"bare-{kind}.parquet", schema, compression="zstd") as writer:
        for table in pq.ParquetFile(folder / "rows.parquet").iter_batches(BATCH, columns=["id", *names]):
            before = time.perf_counter()
            values = predict(table)
            predicting += time.perf_counter() - before
            writer.write_batch(pa.record_batch([table["id"], pa.array(values.astype("float64"))], schema=schema))
            rows += len(values)
    done = time.perf_counter()
    print(json.dumps({"rows": rows, "load": loaded - start, "predict": predicting, "all": done - loaded}))


mode, place = sys.argv[1], Path(sys.argv[2])
make(place, int(sys.argv[3])) if mode == "make" else score(mode, place)
