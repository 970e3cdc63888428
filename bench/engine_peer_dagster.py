# A chain and a fan-out of no-op process steps in Dagster: python engine_peer_dagster.py CHAIN FAN PARALLEL → JSON
# In-process executor: Dagster's fastest; its usual one starts a Python process per step.
import json, os, subprocess, sys, time
chain, fan, _parallel = map(int, sys.argv[1:4])
from dagster import DagsterInstance, In, Nothing, graph, in_process_executor, op

@op(ins={"before": In(Nothing)})
def step():
    subprocess.run(["true"], check=True)

@op
def first():
    subprocess.run(["true"], check=True)

@graph
def chained():
    before = first()
    for index in range(chain - 1):
        before = step.alias(f"s{index}")(before)

@graph
def fanned():
    for index in range(fan):
        first.alias(f"f{index}")()

times = {}
with DagsterInstance.local_temp() as instance:
    for name, work in (("chain", chained), ("fan", fanned)):
        job = work.to_job(executor_def=in_process_executor)
        started = time.perf_counter()
        result = job.execute_in_process(instance=instance)
        assert result.success
        times[name] = (time.perf_counter() - started) * 1000
print("RESULT " + json.dumps(times), flush=True)
os._exit(0)
