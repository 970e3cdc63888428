"""Median milliseconds of one call of the MLflow client, as JSON: `log_batch` or `search`; the whole, and the part spent waiting for the server."""

import json
import statistics
import sys
import time

import requests
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

waited = 0.0
send = requests.Session.send


def timed_send(self, *arguments, **named):
    global waited
    started = time.perf_counter()
    try:
        return send(self, *arguments, **named)
    finally:
        waited += time.perf_counter() - started


requests.Session.send = timed_send
client = MlflowClient()


def measure(count, call):
    global waited
    call(0)
    whole, waiting = [], []
    for index in range(1, count):
        waited = 0.0
        started = time.perf_counter()
        call(index)
        whole.append((time.perf_counter() - started) * 1000)
        waiting.append(waited * 1000)
    print(json.dumps({"whole": statistics.median(whole), "waiting": statistics.median(waiting)}))


if sys.argv[1] == "log_batch":
    run_id = client.create_run("0").info.run_id
    batches = [[Metric(f"metric_{i}", i / 7, 1_700_000_000_000 + i, start + i) for i in range(1000)] for start in range(0, 8000, 1000)]
    measure(len(batches), lambda index: client.log_batch(run_id, metrics=batches[index]))
else:
    measure(5, lambda index: client.search_runs(["1"], "metrics.acc > 0.3 AND params.kind = 'b'", order_by=["metrics.acc DESC"], max_results=1000))
