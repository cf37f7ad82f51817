"""A pandas table in, a pandas table of the same types out, and the schema that says what may be in it.

python examples/pandas_round_trip.py
"""

import numpy as np
import pandas as pd

import tabsynth

rng = np.random.default_rng(1)
n = 5000
age = rng.integers(18, 95, n)
stays = pd.DataFrame(
    {
        "stay_id": [f"S{number:06d}" for number in rng.permutation(n)],
        "admitted": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D"),
        "ward": pd.Categorical(rng.choice(["surgery", "internal", "cardiology"], n)),
        "age": age.astype("int16"),
        "pressure": np.where(rng.random(n) < 0.1, np.nan, (100 + 0.4 * age + rng.normal(0, 12, n)).round(1)),
        "charge": np.where(rng.random(n) < 0.2, 0, rng.lognormal(7, 0.6, n)).round(2),
    }
)

schema = tabsynth.draft_schema(stays, name="stays")
fitted = tabsynth.fit(stays, schema=schema)  # differentially private: ε = 1
synthetic = fitted.sample(1000, seed=1)

print(synthetic.head())
print()
print(pd.DataFrame({"real": stays.dtypes, "synthetic": synthetic.dtypes}))
print()
print("correlation of age and pressure, real     ", round(stays["age"].corr(stays["pressure"]), 2))
print("correlation of age and pressure, synthetic", round(synthetic["age"].corr(synthetic["pressure"]), 2))
print("share of charges that are zero, real     ", round((stays["charge"] == 0).mean(), 2))
print("share of charges that are zero, synthetic", round((synthetic["charge"] == 0).mean(), 2))
print()
print(fitted.guarantee)
