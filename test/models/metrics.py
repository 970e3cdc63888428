"""Writes metrics.json: samples and what scikit-learn says of them. Run by hand when a metric is added; needs scikit-learn and numpy."""
import json, pathlib
import numpy, sklearn
from sklearn import metrics as m

random = numpy.random.default_rng(7)

def binary(n, ties):
    labels = (random.random(n) < 0.3).astype(int)
    scores = numpy.clip(0.35 * labels + random.normal(0.3, 0.2, n), 0, 1)
    if ties: scores = numpy.round(scores, 1)
    found = (scores > 0.5).astype(int)
    return {"task": "binary_classification", "labels": labels.tolist(), "predictions": scores.tolist(), "expected": {
        "roc_auc": m.roc_auc_score(labels, scores), "log_loss": m.log_loss(labels, scores), "brier": m.brier_score_loss(labels, scores),
        "accuracy": m.accuracy_score(labels, found), "precision": m.precision_score(labels, found, zero_division=0),
        "recall": m.recall_score(labels, found), "f1": m.f1_score(labels, found)}}

def multiclass(n):
    labels = random.integers(0, 4, n); found = numpy.where(random.random(n) < 0.6, labels, random.integers(0, 4, n))
    return {"task": "multiclass_classification", "labels": labels.tolist(), "predictions": found.tolist(), "expected": {
        "accuracy": m.accuracy_score(labels, found), "precision": m.precision_score(labels, found, average="weighted"),
        "recall": m.recall_score(labels, found, average="weighted"), "f1": m.f1_score(labels, found, average="weighted")}}

def regression(n):
    labels = random.normal(10, 5, n); values = labels + random.normal(0, 2, n)
    return {"task": "regression", "labels": labels.tolist(), "predictions": values.tolist(), "expected": {
        "rmse": m.mean_squared_error(labels, values) ** 0.5, "mae": m.mean_absolute_error(labels, values), "r2": m.r2_score(labels, values)}}

cases = [binary(200, False), binary(200, True), multiclass(150), regression(120)]
pathlib.Path(__file__).with_name("metrics.json").write_text(json.dumps({"source": f"scikit-learn {sklearn.__version__}", "cases": cases}))
