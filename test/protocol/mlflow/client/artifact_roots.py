"""What MLflow's own client does with artifacts, whatever root the server was started with. `artifact_roots.py URL ROOT`: where new experiments are expected."""
import os, sys, tempfile
import mlflow
from mlflow import MlflowClient

url, root = sys.argv[1:]
mlflow.set_tracking_uri(url)
client = MlflowClient()
experiment = client.get_experiment(client.create_experiment("roots " + mlflow.__version__))
assert experiment.artifact_location == f"{root.rstrip('/')}/{experiment.experiment_id}", experiment.artifact_location
mlflow.set_experiment(experiment.name)


class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
    assert run.info.artifact_uri == f"{experiment.artifact_location}/{run.info.run_id}/artifacts", run.info.artifact_uri
    for name in ["plain.txt", "with blank é 漢 100%.txt"]:
        with open(os.path.join(folder, name), "w") as file:
            file.write(name)
        mlflow.log_artifact(os.path.join(folder, name), "files")
    mlflow.log_text("noted", "notes/note.txt")
    mlflow.log_dict({"a": 1}, "notes/d.json")
    info = mlflow.pyfunc.log_model(**{"name" if mlflow.__version__ >= "3" else "artifact_path": "model"}, python_model=Doubled(), pip_requirements=[], registered_model_name="logged-" + mlflow.__version__)

assert sorted((file.path, file.is_dir) for file in client.list_artifacts(run.info.run_id, "files")) == [("files/plain.txt", False), ("files/with blank é 漢 100%.txt", False)]
assert client.list_artifacts(run.info.run_id, "nothing") == []
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/note.txt") == "noted"
assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/notes/d.json") == {"a": 1}
with tempfile.TemporaryDirectory() as folder:
    path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="files", dst_path=folder)
    assert sorted(os.listdir(path)) == ["plain.txt", "with blank é 漢 100%.txt"], os.listdir(path)

# A folder of a run, and a model, as they are registered: their sources are locations below the root.
name = "notes-" + mlflow.__version__
client.create_registered_model(name)
version = client.create_model_version(name, f"{run.info.artifact_uri}/notes", run_id=run.info.run_id)
assert version.source == f"{run.info.artifact_uri}/notes", version.source
again = mlflow.register_model(f"runs:/{run.info.run_id}/model", "again-" + mlflow.__version__)
assert client.get_model_version_download_uri(version.name, version.version) == version.source
with tempfile.TemporaryDirectory() as folder:
    assert sorted(os.listdir(mlflow.artifacts.download_artifacts(f"models:/{version.name}/1", dst_path=folder))) == ["d.json", "note.txt"]
for uri in [info.model_uri, f"runs:/{run.info.run_id}/model", f"models:/logged-{mlflow.__version__}/1", f"models:/{again.name}/1"]:
    assert mlflow.pyfunc.load_model(uri).predict(4) == 8, uri
if mlflow.__version__ >= "3":
    model = client.get_logged_model(info.model_id)
    assert model.artifact_location == f"{experiment.artifact_location}/models/{info.model_id}/artifacts", model.artifact_location
print(run.info.run_id, getattr(info, "model_id", None) or "-", version.name)
