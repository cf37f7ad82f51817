"""Two engines on one table, each measured against rows that it never saw, and a report to open in a browser.

python examples/evaluate_and_report.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np
import polars as pl

import tabsynth
from tabsynth.report import write_report

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
rng = np.random.default_rng(1)
n = 6000
age = rng.integers(18, 95, n)
smoker = rng.random(n) < 0.3
pressure = (100 + 0.4 * age + 8 * smoker + rng.normal(0, 10, n)).round(1)
patients = pl.DataFrame(
    {
        "age": age,
        "smoker": smoker,
        "pressure": pressure,
        "stroke": np.where(rng.random(n) < 1 / (1 + np.exp(14 - age / 15 - pressure / 17)), "yes", "no"),
    }
)
schema = tabsynth.draft_schema(patients, name="patients")
train, holdout = tabsynth.split(patients, schema=schema, seed=1)

print(f"{'engine':<18}{'figure':<14}{'value':>8}{'floor':>8}")
for engine in (tabsynth.engines.Independent(), tabsynth.engines.BayesianNetwork()):
    fitted = tabsynth.fit(train, schema=schema, engine=engine)  # differentially private: ε = 1
    synthetic = fitted.sample(train.height, seed=1)
    results = tabsynth.evaluate(
        synthetic, train, holdout, schema=schema, target="stroke", guarantee=fitted.guarantee
    )
    for found in results.metrics:
        if found.metric in ("shape_error", "trend_error", "c2st_auc", "tstr_auc") and not found.columns:
            print(f"{engine.name:<18}{found.metric:<14}{found.value:>8.4f}{found.floor:>8.4f}")
    path = write_report(results, folder / f"report-{engine.name}.html", overwrite=True, ledger=fitted.ledger)
    print(f"{engine.name:<18}{path.name}")
