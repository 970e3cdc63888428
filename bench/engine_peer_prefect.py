# A chain and a fan-out of no-op process steps in Prefect: python engine_peer_prefect.py CHAIN FAN PARALLEL → JSON
import json, os, subprocess, sys, time
chain, fan, parallel = map(int, sys.argv[1:4])
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def step(previous=None):
    subprocess.run(["true"], check=True)

@flow
def run_chain():
    future = None
    for _ in range(chain):
        future = step.submit(future)
    future.wait()

@flow(task_runner=ThreadPoolTaskRunner(max_workers=parallel))
def run_fan():
    for future in step.map(list(range(fan))):
        future.wait()

@flow
def warm():
    step()

warm()
times = {}
for name, work in (("chain", run_chain), ("fan", run_fan)):
    started = time.perf_counter()
    work()
    times[name] = (time.perf_counter() - started) * 1000
print("RESULT " + json.dumps(times), flush=True)
os._exit(0)
