"""Drives the unmodified MLflow client against a server, by endpoint group."""

import json
import math
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import mlflow
import requests
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from checks import check, run_checks

client = MlflowClient()
MAJOR = int(mlflow.__version__.split(".")[0])


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, str(error))
        return str(error)
    raise AssertionError(f"{call} was not refused")


def new_run(name="client"):
    experiment = mlflow.set_experiment(name)
    return client.create_run(experiment.experiment_id)


@check("experiments", "are created, found, renamed, tagged, deleted and restored")
def experiments():
    assert client.get_experiment("0").name == "Default"
    experiment_id = client.create_experiment("life", tags={"k": "v"})
    found = client.get_experiment_by_name("life")
    assert (found.experiment_id, found.tags["k"], found.lifecycle_stage) == (experiment_id, "v", "active")
    assert client.get_experiment_by_name("nobody") is None
    refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "life")
    client.rename_experiment(experiment_id, "life 2")
    client.set_experiment_tag(experiment_id, "a", "b")
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    refused("INVALID_PARAMETER_VALUE", client.create_run, experiment_id)
    client.restore_experiment(experiment_id)
    assert client.get_experiment(experiment_id).tags["a"] == "b"
    names = [e.name for e in client.search_experiments(filter_string="name LIKE 'life%'", order_by=["name"])]
    assert names == ["life 2"], names
    for index in range(5):
        client.create_experiment(f"page {index}")
    page = client.search_experiments(filter_string="name LIKE 'page %'", max_results=2, order_by=["name DESC"])
    seen = [e.name for e in page]
    while page.token:
        page = client.search_experiments(filter_string="name LIKE 'page %'", max_results=2, order_by=["name DESC"], page_token=page.token)
        seen += [e.name for e in page]
    assert seen == [f"page {i}" for i in (4, 3, 2, 1, 0)], seen


@check("runs", "live from start to end, with name, tags, deletion and restoration")
def runs():
    mlflow.set_experiment("runs")
    with mlflow.start_run(run_name="first", tags={"t": "1"}, description="text") as active:
        run_id = active.info.run_id
        with mlflow.start_run(nested=True) as child:
            pass
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name, run.data.tags["t"]) == ("FINISHED", "first", "1")
    assert run.data.tags["mlflow.note.content"] == "text" and run.info.end_time >= run.info.start_time
    assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == run_id
    client.update_run(run_id, status="FAILED", name="second")
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "second"
    client.set_tag(run_id, "mlflow.runName", "third")
    assert client.get_run(run_id).info.run_name == "third"
    client.delete_tag(run_id, "t")
    refused("RESOURCE_DOES_NOT_EXIST", client.delete_tag, run_id, "t")
    client.delete_run(run_id)
    client.delete_run(run_id)
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "m", 1)
    client.restore_run(run_id)
    client.log_metric(run_id, "m", 1)
    refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "f" * 32)
    try:
        with mlflow.start_run() as failing:
            raise KeyError("x")
    except KeyError:
        pass
    assert client.get_run(failing.info.run_id).info.status == "FAILED"


@check("metrics", "keep every point exactly, and the latest by step, time and value")
def metrics():
    run_id = new_run("metrics").info.run_id
    for value in (1.5, float("nan"), float("inf"), float("-inf"), 0.1 + 0.2, 5e-324):
        client.log_metric(run_id, "m", value, timestamp=7, step=0)
    values = [m.value for m in client.get_metric_history(run_id, "m")]
    assert len(values) == 6 and any(math.isnan(v) for v in values) and 0.1 + 0.2 in values and 5e-324 in values
    assert max(v for v in values if not math.isnan(v)) == sys.float_info.max
    client.log_metric(run_id, "late", 9, timestamp=5, step=5)
    client.log_metric(run_id, "late", 1, timestamp=99, step=1)
    assert client.get_run(run_id).data.metrics["late"] == 9
    client.log_metric(run_id, "big", 1, step=9007199254740993, timestamp=1)
    assert client.get_metric_history(run_id, "big")[0].step == 9007199254740993
    client.log_metric(run_id, "neg", 1, step=-3)
    assert client.get_metric_history(run_id, "neg")[0].step == -3
    client.log_batch(run_id, metrics=[Metric("b", i / 7, i, i) for i in range(1000)])
    client.log_batch(run_id, metrics=[Metric("b", i / 7, i, i) for i in range(1000)])
    history = client.get_metric_history(run_id, "b")
    assert [m.value for m in history] == [i / 7 for i in range(1000)]
    with mlflow.start_run(run_id=run_id):
        mlflow.log_metrics({f"k{i}": i for i in range(250)}, step=3)
    assert client.get_run(run_id).data.metrics["k249"] == 249
    refused("INVALID_PARAMETER_VALUE", client.log_metric, run_id, "a@b", 1)


@check("metrics", "of 60,000 points come in pages")
def long_history():
    run_id = new_run("metrics").info.run_id
    for start in range(0, 60000, 1000):
        client.log_batch(run_id, metrics=[Metric("long", float(i), i, i) for i in range(start, start + 1000)])
    history = client.get_metric_history(run_id, "long")
    assert len(history) == 60000 and [m.step for m in history] == list(range(60000))
    url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/metrics/get-history"
    whole = requests.get(url, {"run_id": run_id, "metric_key": "long"}, timeout=60).json()
    assert [m["step"] for m in whole["metrics"]] == list(range(60000)) and "next_page_token" not in whole
    sampled = requests.get(url + "-bulk-interval", {"run_ids": run_id, "metric_key": "long", "max_results": 320}, timeout=60).json()["metrics"]
    steps = [m["step"] for m in sampled]
    assert steps[0] == 0 and steps[-1] == 59999 and 300 < len(steps) < 325 and steps == sorted(steps), steps


@check("params", "are written once; long values are cut or kept as the limit says")
def params():
    run_id = new_run("params").info.run_id
    client.log_param(run_id, "p", 1)
    client.log_param(run_id, "p", 1)
    refused("INVALID_PARAMETER_VALUE", client.log_param, run_id, "p", 2)
    client.log_param(run_id, "empty", "")
    client.log_param(run_id, "é/ü", "ñ")
    client.log_param(run_id, "long", "x" * 6000)
    client.log_batch(run_id, params=[Param(f"q{i}", str(i)) for i in range(100)])
    found = client.get_run(run_id).data.params
    assert found["empty"] == "" and found["é/ü"] == "ñ" and len(found["long"]) == 6000 and len(found) == 104
    before = dict(found)
    refused("INVALID_PARAMETER_VALUE", client.log_batch, run_id, metrics=[Metric("x", 1, 1, 1)], params=[Param("p", "other")], tags=[RunTag("n", "1")])
    run = client.get_run(run_id)
    assert run.data.params == before and "x" not in run.data.metrics and "n" not in run.data.tags


@check("search", "answers filters, orders and pages over 300 runs")
def search():
    experiment = mlflow.set_experiment("search")
    for index in range(300):
        run = client.create_run(experiment.experiment_id, start_time=index + 1, run_name=f"r{index:03}")
        value = float("nan") if index % 50 == 7 else float(index % 30)
        client.log_batch(run.info.run_id, metrics=[Metric("m", value, 1, 1)], params=[Param("kind", "AB"[index % 2])], tags=[RunTag("five", str(index % 5))])
    ids = [experiment.experiment_id]

    def names(filter_string="", order_by=None, **more):
        page = client.search_runs(ids, filter_string, order_by=order_by, max_results=70, **more)
        found = list(page)
        while page.token:
            page = client.search_runs(ids, filter_string, order_by=order_by, max_results=70, page_token=page.token, **more)
            found += page
        return [run.info.run_name for run in found]

    assert names() == [f"r{i:03}" for i in reversed(range(300))]
    assert names(order_by=["attributes.start_time ASC"]) == [f"r{i:03}" for i in range(300)]
    number = lambda i: None if i % 50 == 7 else i % 30
    expected = sorted(range(300), key=lambda i: (number(i) is None, -(number(i) or 0), -i))
    assert names(order_by=["metrics.m DESC"]) == [f"r{i:03}" for i in expected]
    expected = [f"r{i:03}" for i in reversed(range(300)) if number(i) is not None and number(i) > 20 and i % 2 == 1]
    assert names("metrics.m > 20 AND params.kind = 'B'") == expected
    assert len(names("tags.five ILIKE '3' and attributes.run_name LIKE 'r1%'")) == 20
    assert len(names("params.nope IS NULL")) == 300 and names("params.nope != 'x'") == []
    assert names("metrics.m != 0 AND run_name = 'r007'") == ["r007"]
    frame = mlflow.search_runs(ids, filter_string="attributes.run_name = 'r010'")
    assert frame.iloc[0]["metrics.m"] == 10 and frame.iloc[0]["params.kind"] == "A"
    refused("INVALID_PARAMETER_VALUE", client.search_runs, ids, "metrics.m == 1")
    client.delete_run(mlflow.search_runs(ids, "attributes.run_name = 'r011'").iloc[0]["run_id"])
    assert len(names()) == 299 and names(run_view_type=ViewType.DELETED_ONLY) == ["r011"]


@check("inputs", "of runs are kept, and can be searched")
def inputs():
    import pandas

    mlflow.set_experiment("inputs")
    with mlflow.start_run() as run:
        dataset = mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), name="table", targets="b")
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="training")
    found = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert len(found) == 1 and found[0].dataset.name == "table" and found[0].tags[0].value == "training"
    assert json.loads(found[0].dataset.profile)["num_rows"] == 2
    frame = mlflow.search_runs(search_all_experiments=True, filter_string="datasets.name = 'table' and datasets.context = 'training'")
    assert list(frame["run_id"]) == [run.info.run_id]


@check("artifacts", "are logged, listed, loaded and deleted")
def artifacts():
    mlflow.set_experiment("artifacts")
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        mlflow.log_text("olá", "notes/a b.txt")
        mlflow.log_dict({"a": [1, 2]}, "d.json")
        os.makedirs(os.path.join(folder, "deep/er"))
        with open(os.path.join(folder, "deep/er/f.bin"), "wb") as file:
            file.write(os.urandom(3_000_000))
        mlflow.log_artifacts(folder, "tree")
    run_id = run.info.run_id
    assert sorted(f.path for f in client.list_artifacts(run_id)) == ["d.json", "notes", "tree"]
    assert [f.path for f in client.list_artifacts(run_id, "tree/deep/er")] == ["tree/deep/er/f.bin"]
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/a b.txt") == "olá"
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/d.json") == {"a": [1, 2]}
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(run_id, "tree", folder)
        assert os.path.getsize(os.path.join(path, "deep/er/f.bin")) == 3_000_000


@check("registered models", "have versions, aliases, tags and stages")
def registry():
    mlflow.set_experiment("registry")
    with mlflow.start_run() as run:
        mlflow.log_text("x", "model/MLmodel")
    client.create_registered_model("m", tags={"a": "b"}, description="d")
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "m")
    version = client.create_model_version("m", f"{run.info.artifact_uri}/model", run.info.run_id, tags={"x": "y"})
    assert (version.version, version.status, version.run_id) == ("1", "READY", run.info.run_id) or (int(version.version), version.status) == (1, "READY")
    client.set_registered_model_alias("m", "best", "1")
    assert int(client.get_model_version_by_alias("m", "best").version) == 1
    client.set_model_version_tag("m", "1", "k", "v")
    assert client.get_model_version("m", "1").tags["k"] == "v"
    client.transition_model_version_stage("m", "1", "Staging")
    assert client.get_latest_versions("m", ["Staging"])[0].version in ("1", 1)
    assert [m.name for m in client.search_registered_models("name LIKE 'm%'")] == ["m"]
    assert len(client.search_model_versions("name = 'm' and tags.x = 'y'")) == 1
    client.update_registered_model("m", "new")
    client.rename_registered_model("m", "m2")
    assert client.get_registered_model("m2").aliases["best"] in ("1", 1)
    client.delete_registered_model_alias("m2", "best")
    client.delete_model_version("m2", "1")
    client.delete_registered_model("m2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "m2")


@check("models", "are logged, registered and loaded again")
def models():
    if os.environ.get("SKIP_MODELS"):
        return
    import numpy
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("models")
    features = numpy.arange(40.0).reshape(-1, 1)
    model = LogisticRegression().fit(features, (features[:, 0] > 20).astype(int))
    with mlflow.start_run() as run:
        mlflow.log_metric("acc", 0.9)
        where = {"name": "model"} if MAJOR >= 3 else {"artifact_path": "model"}
        info = mlflow.sklearn.log_model(model, **where, registered_model_name="logit", pip_requirements=["scikit-learn"])
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/model", "models:/logit/1"):
        loaded = mlflow.pyfunc.load_model(uri)
        assert list(loaded.predict(features)) == list(model.predict(features)), uri
    client.set_registered_model_alias("logit", "it", "1")
    assert mlflow.sklearn.load_model("models:/logit@it").coef_[0][0] == model.coef_[0][0]
    if MAJOR >= 3:
        assert [m.name for m in mlflow.search_logged_models(output_format="list")] == ["model"]
        assert client.get_run(run.info.run_id).outputs.model_outputs[0].model_id == info.model_id
        assert client.get_logged_model(info.model_id).metrics[0].key == "acc"


@check("autologging", "of scikit-learn ends in params, metrics and inputs")
def autologging():
    if os.environ.get("SKIP_MODELS"):
        return
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV

    mlflow.set_experiment("autologging")
    mlflow.sklearn.autolog(log_models=False)
    features, label = load_iris(return_X_y=True)
    with mlflow.start_run() as run:
        RandomForestClassifier(n_estimators=5, random_state=1).fit(features, label)
    with mlflow.start_run() as search_run:
        GridSearchCV(RandomForestClassifier(random_state=1), {"n_estimators": [2, 3]}, cv=2).fit(features, label)
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["n_estimators"] == "5" and found.data.metrics["training_accuracy_score"] > 0.9
    assert found.inputs.dataset_inputs
    children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{search_run.info.run_id}'")
    assert len(children) == 2


if __name__ == "__main__":
    run_checks()
