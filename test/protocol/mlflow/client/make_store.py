"""Fills a store with MLflow itself: argv = tracking URI (database or folder), folder for artifacts. Prints what is in it, as JSON."""
import json, math, os, sys
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

uri, artifacts = sys.argv[1], sys.argv[2]
three = int(mlflow.__version__.split(".")[0]) >= 3
mlflow.set_tracking_uri(uri)
client = MlflowClient()

first = client.create_experiment("first", artifact_location=os.path.join(artifacts, "first"), tags={"team": "a b"})
remote = client.create_experiment("remote", artifact_location="s3://bucket/remote")
gone = client.create_experiment("gone")
client.delete_experiment(gone)

runs = []
for index in range(3):
    run = client.create_run(first, start_time=1000 + index, run_name=f"run {index}", tags={"kind": "x", "deep/tag": "y"})
    runs.append(run.info.run_id)
    client.log_batch(
        run.info.run_id,
        metrics=[Metric("loss", 1 / (step + 1), 2000 + step, step) for step in range(1500 if index == 0 else 3)][:1000],
        params=[Param("c", str(index)), Param("long", "p" * 400), Param("a/b", "1")],
    )
    if index == 0:
        client.log_batch(run.info.run_id, metrics=[Metric("loss", 1 / (step + 1), 2000 + step, step) for step in range(1000, 1500)])
        client.log_metric(run.info.run_id, "odd", math.nan, timestamp=1, step=-2)
        client.log_metric(run.info.run_id, "odd", math.inf, timestamp=2, step=9007199254740993)
    client.log_text(run.info.run_id, f"artifact {index}", "deep/er/text.txt")
    client.set_terminated(run.info.run_id, "FINISHED" if index < 2 else "FAILED", end_time=5000 + index)
client.delete_run(runs[2])
far = client.create_run(remote, start_time=7)

import numpy as np
with mlflow.start_run(run_id=runs[0]):
    mlflow.log_input(mlflow.data.from_numpy(np.arange(6).reshape(3, 2), name="numbers"), context="training")

client.create_registered_model("model", tags={"owner": "me"}, description="what for")
source = client.get_run(runs[0]).info.artifact_uri + "/deep"
client.create_model_version("model", source, runs[0], tags={"checked": "yes"}, description="the first")
client.create_model_version("model", source, runs[0])
client.create_model_version("model", source, runs[0])
client.delete_model_version("model", "2")
client.transition_model_version_stage("model", "1", "Production")
client.set_registered_model_alias("model", "best", "3")
client.set_registered_model_alias("model", "champion", "1")

logged = None
if three:
    with mlflow.start_run(run_id=runs[1]):
        model = mlflow.initialize_logged_model("net", params={"depth": "3"}, tags={"t": "v"}, model_type="classifier")
        mlflow.log_metric("acc", 0.75, step=4, model_id=model.model_id)
        mlflow.log_model_params({"width": "8"}, model_id=model.model_id)
        mlflow.finalize_logged_model(model.model_id, "READY")
        from mlflow.entities import LoggedModelOutput
        client.log_outputs(runs[1], [LoggedModelOutput(model.model_id, 2)])
    place = mlflow.get_logged_model(model.model_id).artifact_location
    folder = place[7:] if place.startswith("file://") else place
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, "MLmodel"), "w").write("flavors: {}\n")
    client.create_registered_model("net")
    client.create_model_version("net", f"models:/{model.model_id}", model_id=model.model_id)
    logged = model.model_id

print(json.dumps({"runs": runs, "far": far.info.run_id, "logged": logged}))
