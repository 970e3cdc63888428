"""Calls `log_metric` of the MLflow client from sixteen threads for some seconds: `<seconds> <run id> …`. Prints calls, seconds and own processor time as JSON."""

import json
import resource
import sys
import threading
import time

from mlflow.tracking import MlflowClient

client = MlflowClient()
until = 0.0
counts = []


def write(run_id):
    count = 0
    while time.perf_counter() < until:
        client.log_metric(run_id, "m", count, timestamp=count, step=count)
        count += 1
    counts.append(count)


def run(seconds):
    global until
    counts.clear()
    until = time.perf_counter() + seconds
    threads = [threading.Thread(target=write, args=(run_id,)) for run_id in sys.argv[2:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def own_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


run(1)
before, started = own_time(), time.perf_counter()
calls = run(float(sys.argv[1]))
print(json.dumps({"calls": calls, "seconds": time.perf_counter() - started, "clientMs": (own_time() - before) * 1000}))
