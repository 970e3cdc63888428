"""Median milliseconds of one call of the MLflow client, as JSON: `log_batch`, `search` or `download <URI> <folder>`; the whole, and the part spent waiting for the server."""

import json
import statistics
import sys
import tempfile
import time

import requests
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

waited = 0.0
sending = False
send = requests.Session.send
iter_content = requests.Response.iter_content


def timed_send(self, *arguments, **named):
    global waited, sending
    started = time.perf_counter()
    sending = True
    try:
        return send(self, *arguments, **named)
    finally:
        sending = False
        waited += time.perf_counter() - started


def timed_iter_content(self, *arguments, **named):
    """A download is read after `send`, piece by piece; every other answer within it."""
    global waited
    pieces = iter_content(self, *arguments, **named)
    while True:
        started = time.perf_counter()
        piece = next(pieces, None)
        waited += 0 if sending else time.perf_counter() - started
        if piece is None:
            return
        yield piece


requests.Session.send = timed_send
requests.Response.iter_content = timed_iter_content
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
elif sys.argv[1] == "download":
    with tempfile.TemporaryDirectory(dir=sys.argv[3]) as folder:
        # The first call warms the client up.
        measure(2, lambda _: download_artifacts(artifact_uri=sys.argv[2], dst_path=tempfile.mkdtemp(dir=folder)))
else:
    measure(5, lambda index: client.search_runs(["1"], "metrics.acc > 0.3 AND params.kind = 'b'", order_by=["metrics.acc DESC"], max_results=1000))
