"""Loads a Parquet file into a Delta table with dlt and prints the seconds that the run took.

`columnar`: Arrow batches, no row is looked at. `checked`: the first `rows` rows as dictionaries against a Pydantic model with the
flights' rules, which is how dlt checks rows.
"""
import os
import sys
import time
from datetime import datetime
from typing import Annotated

source, folder, mode, rows = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
os.environ["DLT_DATA_DIR"] = folder
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from pydantic import BaseModel, Field  # noqa: E402

Airport = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Flight(BaseModel):
    date: Annotated[datetime, Field(ge=datetime(2001, 1, 1), lt=datetime(2001, 7, 1))]
    delay: Annotated[int, Field(ge=-120, le=1440)]
    distance: Annotated[int, Field(ge=1, le=6000)]
    origin: Airport
    destination: Airport


@dlt.resource(name="flights", table_format="delta", write_disposition="append")
def columnar():
    for batch in pq.ParquetFile(source).iter_batches(batch_size=250_000):
        yield batch


@dlt.resource(name="flights", table_format="delta", write_disposition="append", columns=Flight, schema_contract={"data_type": "discard_row"})
def checked():
    left = int(rows)
    for batch in pq.ParquetFile(source).iter_batches(batch_size=20_000):
        yield batch.slice(0, left).to_pylist()
        left -= batch.num_rows
        if left <= 0:
            return


pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}/out"), dataset_name="bench")
start = time.perf_counter()
pipeline.run(columnar() if mode == "columnar" else checked())
print(time.perf_counter() - start)
