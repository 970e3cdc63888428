"""Autologging of the libraries people train with, and their models loaded again."""

import warnings

warnings.filterwarnings("ignore")
import mlflow
import numpy
from mlflow.tracking import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from checks import check, run_checks

client = MlflowClient()
features, label = load_breast_cancer(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(features, label, random_state=1)


def logged_models(run):
    return mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'", output_format="list")


@check("scikit-learn", "logs params, training metrics, inputs and a model that predicts the same")
def sklearn():
    from sklearn.ensemble import RandomForestClassifier

    mlflow.set_experiment("sklearn")
    mlflow.sklearn.autolog(log_input_examples=True)
    with mlflow.start_run() as run:
        model = RandomForestClassifier(n_estimators=5, random_state=1).fit(train_x, train_y)
        model.score(test_x, test_y)
    mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["n_estimators"] == "5" and found.data.metrics["training_f1_score"] > 0.9
    assert any(key.startswith("RandomForestClassifier_score") for key in found.data.metrics), found.data.metrics
    assert found.inputs.dataset_inputs
    loaded = mlflow.sklearn.load_model(logged_models(run)[0].model_uri)
    assert (loaded.predict(test_x) == model.predict(test_x)).all()


@check("XGBoost", "logs params, a metric per round and a model")
def xgboost():
    import xgboost

    mlflow.set_experiment("xgboost")
    mlflow.xgboost.autolog()
    with mlflow.start_run() as run:
        data = xgboost.DMatrix(train_x, label=train_y)
        model = xgboost.train({"objective": "binary:logistic", "eval_metric": "logloss"}, data, num_boost_round=12, evals=[(data, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(disable=True)
    assert len(client.get_metric_history(run.info.run_id, "train-logloss")) == 12
    assert client.get_run(run.info.run_id).data.params["num_boost_round"] == "12"
    loaded = mlflow.xgboost.load_model(logged_models(run)[0].model_uri)
    assert numpy.allclose(loaded.predict(xgboost.DMatrix(test_x)), model.predict(xgboost.DMatrix(test_x)))


@check("LightGBM", "logs params, a metric per round and a model")
def lightgbm():
    import lightgbm

    mlflow.set_experiment("lightgbm")
    mlflow.lightgbm.autolog()
    with mlflow.start_run() as run:
        data = lightgbm.Dataset(train_x, label=train_y)
        model = lightgbm.train({"objective": "binary", "verbose": -1}, data, num_boost_round=8, valid_sets=[data], valid_names=["train"])
    mlflow.lightgbm.autolog(disable=True)
    assert len(client.get_metric_history(run.info.run_id, "train-binary_logloss")) == 8
    loaded = mlflow.lightgbm.load_model(logged_models(run)[0].model_uri)
    assert numpy.allclose(loaded.predict(test_x), model.predict(test_x))


@check("PyTorch", "logs the epochs of a Lightning module and a model")
def pytorch():
    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Line(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(train_x.shape[1], 1)

        def forward(self, batch):
            return self.layer(batch)

        def training_step(self, batch, _index):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(self.layer(batch[0])[:, 0], batch[1])
            self.log("loss", loss, on_epoch=True)
            return loss

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    mlflow.set_experiment("pytorch")
    mlflow.pytorch.autolog()
    data = TensorDataset(torch.tensor(train_x, dtype=torch.float32), torch.tensor(train_y, dtype=torch.float32))
    with mlflow.start_run() as run:
        trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
        trainer.fit(Line(), DataLoader(data, batch_size=64))
    mlflow.pytorch.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["epochs"] == "3" and "loss" in " ".join(found.data.metrics), found.data.metrics
    model = mlflow.pytorch.load_model(logged_models(run)[0].model_uri)
    assert model(torch.tensor(test_x[:2], dtype=torch.float32)).shape == (2, 1)


if __name__ == "__main__":
    run_checks()
