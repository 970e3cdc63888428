"""What MLflow's own client does with the registry, on a server of ours. Works with 2.x and 3.x."""
import os, sys, tempfile
import mlflow, numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

three = int(mlflow.__version__.split(".")[0]) >= 3
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("registry " + mlflow.__version__)
client = MlflowClient()
name = "iris-" + mlflow.__version__

x = np.random.RandomState(0).rand(60, 3)
y = (x[:, 0] > 0.5).astype(int)
model = LogisticRegression().fit(x, y)


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, str(error))
        return str(error)
    raise AssertionError(f"{call} was not refused")


with mlflow.start_run() as run:
    mlflow.log_metric("accuracy", 0.9)
    if three:
        info = mlflow.sklearn.log_model(model, name="model", registered_model_name=name, input_example=x[:2], params={"c": "1.0"})
    else:
        info = mlflow.sklearn.log_model(model, "model", registered_model_name=name, input_example=x[:2])

for uri in [info.model_uri, f"models:/{name}/1", f"runs:/{run.info.run_id}/model"]:
    loaded = mlflow.pyfunc.load_model(uri)
    assert (loaded.predict(x) == model.predict(x)).all(), uri

version = client.get_model_version(name, "1")
assert version.run_id == run.info.run_id and version.status == "READY" and version.current_stage == "None", version
second = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
assert second.version in ("2", 2), second

client.set_registered_model_alias(name, "champion", "1")
assert client.get_model_version_by_alias(name, "champion").version in ("1", 1)
client.set_registered_model_alias(name, "champion", "2")
assert str(client.get_model_version_by_alias(name, "champion").version) == "2"
assert (mlflow.sklearn.load_model(f"models:/{name}@champion").predict(x) == model.predict(x)).all()
assert client.get_registered_model(name).aliases in ({"champion": "2"}, {"champion": 2})
client.delete_registered_model_alias(name, "champion")
refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, name, "champion")
refused("INVALID_PARAMETER_VALUE", client.set_registered_model_alias, name, "latest", "1")
refused("RESOURCE_DOES_NOT_EXIST", client.set_registered_model_alias, name, "x", "99")
refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, name)
refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "nope")

client.set_registered_model_tag(name, "team", "a b")
client.set_model_version_tag(name, "1", "checked", "yes")
assert client.get_registered_model(name).tags["team"] == "a b"
assert client.get_model_version(name, "1").tags["checked"] == "yes"
client.delete_registered_model_tag(name, "team")
client.delete_model_version_tag(name, "1", "checked")
assert client.get_model_version(name, "1").tags.get("checked") is None
client.update_registered_model(name, description="what it is for")
client.update_model_version(name, "1", description="the first")
assert client.get_registered_model(name).description == "what it is for"
assert client.get_model_version(name, "1").description == "the first"

found = client.search_model_versions(f"name='{name}'")
assert [str(v.version) for v in found][-1:] and {str(v.version) for v in found} == {"1", "2"}, found
assert [m.name for m in client.search_registered_models(f"name LIKE '{name[:4]}%'")].count(name) == 1
page = client.search_model_versions(f"name='{name}'", max_results=1)
assert len(page) == 1 and page.token
rest = client.search_model_versions(f"name='{name}'", max_results=1, page_token=page.token)
assert str(rest[0].version) != str(page[0].version) and not rest.token
assert client.get_model_version_download_uri(name, "1").startswith("mlflow-artifacts:/")

client.transition_model_version_stage(name, "1", "production")
client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
assert client.get_model_version(name, "1").current_stage == "Archived"
assert [str(v.version) for v in client.get_latest_versions(name, ["Production"])] == ["2"]
assert (mlflow.pyfunc.load_model(f"models:/{name}/Production").predict(x) == model.predict(x)).all()

copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
assert str(copied.version) == "1" and (mlflow.pyfunc.load_model(f"models:/{name}-copy/1").predict(x) == model.predict(x)).all()
client.rename_registered_model(name + "-copy", name + "-other")
assert (mlflow.pyfunc.load_model(f"models:/{name}-other/1").predict(x) == model.predict(x)).all()
client.delete_model_version(name, "2")
third = client.create_model_version(name, version.source, run.info.run_id)
assert str(third.version) == "3", "numbers are never used again"
client.delete_registered_model(name + "-other")
refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, name + "-other")

# Artifacts
with tempfile.TemporaryDirectory() as folder:
    for path, content in {"a.txt": "hello", "deep/er/b c é.bin": "x" * 100_000, "empty": ""}.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        open(full, "w").write(content)
    client.log_artifacts(run.info.run_id, folder, "files")
assert {(f.path, f.is_dir) for f in client.list_artifacts(run.info.run_id, "files")} == {("files/a.txt", False), ("files/deep", True), ("files/empty", False)}
local = client.download_artifacts(run.info.run_id, "files")
assert open(os.path.join(local, "deep/er/b c é.bin")).read() == "x" * 100_000 and open(os.path.join(local, "empty")).read() == ""
client.log_text(run.info.run_id, "text", "notes/t.txt")
client.log_dict(run.info.run_id, {"a": 1}, "notes/d.json")
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/t.txt") == "text"
assert mlflow.artifacts.load_dict(f"mlflow-artifacts:/{run.info.experiment_id}/{run.info.run_id}/artifacts/notes/d.json") == {"a": 1}
assert client.list_artifacts(run.info.run_id, "nothing here") == []

if three:
    logged = mlflow.get_logged_model(info.model_id)
    assert logged.name == "model" and logged.source_run_id == run.info.run_id and logged.params["c"] == "1.0" and str(logged.status) == "READY", logged
    assert {m.key: m.value for m in logged.metrics} == {"accuracy": 0.9}, logged.metrics
    assert logged.tags["mlflow.modelVersions"].startswith("[{"), logged.tags
    mlflow.log_metric("loss", 0.5, run_id=run.info.run_id, model_id=info.model_id, step=3)
    found = mlflow.search_logged_models([run.info.experiment_id], filter_string="metrics.accuracy > 0.8 AND name = 'model' AND params.c = '1.0'", output_format="list")
    assert [m.model_id for m in found] == [info.model_id], found
    assert mlflow.search_logged_models([run.info.experiment_id], filter_string="metrics.accuracy > 0.95", output_format="list") == []
    data = mlflow.data.from_numpy(x, targets=y, name="iris")
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("f1", 0.7, dataset=data, model_id=info.model_id)
    by_data = mlflow.search_logged_models([run.info.experiment_id], filter_string="metrics.f1 > 0.5", datasets=[{"dataset_name": data.name, "dataset_digest": data.digest}], output_format="list")
    assert [m.model_id for m in by_data] == [info.model_id], by_data
    other = mlflow.initialize_logged_model("other", params={str(i): "x" for i in range(150)})
    mlflow.set_logged_model_tags(other.model_id, {"k": "v"})
    mlflow.delete_logged_model_tag(other.model_id, "k")
    mlflow.finalize_logged_model(other.model_id, "FAILED")
    other = mlflow.get_logged_model(other.model_id)
    assert str(other.status) == "FAILED" and len(other.params) == 150 and "k" not in other.tags, other
    client.delete_logged_model(other.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_logged_model, other.model_id)
    order = mlflow.search_logged_models([run.info.experiment_id], order_by=[{"field_name": "metrics.accuracy", "ascending": False}], output_format="list")
    assert order[0].model_id == info.model_id

    from mlflow.entities.webhook import WebhookEntity, WebhookAction, WebhookEvent, WebhookStatus
    hook = client.create_webhook("hook-1", sys.argv[2], [WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)], secret="shh")
    assert client.get_webhook(hook.webhook_id).name == "hook-1" and not client.get_webhook(hook.webhook_id).secret
    result = client.test_webhook(hook.webhook_id)
    assert result.success and result.response_status == 200, result
    client.create_model_version(name, version.source, run.info.run_id)
    client.update_webhook(hook.webhook_id, status=WebhookStatus.DISABLED)
    assert client.get_webhook(hook.webhook_id).status == WebhookStatus.DISABLED
    assert [h.name for h in client.list_webhooks()] == ["hook-1"]

    prompt = mlflow.genai.register_prompt("greeting", "Hello {{name}}")
    assert mlflow.genai.load_prompt("prompts:/greeting/1").template == "Hello {{name}}", prompt
    assert "greeting" not in [m.name for m in client.search_registered_models()]

print("ok")
