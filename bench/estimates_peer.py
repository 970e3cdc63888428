"""NannyML's CBPE on the samples of bench/estimates.ts.

python estimates_peer.py FOLDER      reads reference.csv and analysis.csv (y_true, said, y_pred), prints {metric: value}
"""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
import pandas as pd
import nannyml

folder = Path(sys.argv[1])
reference, analysis = (pd.read_csv(folder / f"{side}.csv") for side in ("reference", "analysis"))
start = time.perf_counter()
estimator = nannyml.CBPE(
    y_pred_proba="said", y_pred="y_pred", y_true="y_true", problem_type="classification_binary",
    metrics=["roc_auc", "f1", "precision", "recall", "accuracy"], chunk_size=len(analysis),
)
# The reference makes thresholds by chunks; one chunk of the analysis is one window.
estimator.fit(reference)
result = estimator.estimate(analysis).filter(period="analysis").to_df()
seconds = time.perf_counter() - start
print(json.dumps({
    "seconds": seconds,
    "values": {metric: float(result[(metric, "value")].iloc[0]) for metric in ("roc_auc", "f1", "precision", "recall", "accuracy")},
}))
