"""Rows in which some columns have given values, drawn directly instead of waiting for them to turn up.

python examples/conditional_sampling.py
"""

import time

import numpy as np
import polars as pl

import tabsynth

rng = np.random.default_rng(1)
n = 20_000
income = rng.lognormal(10.3, 0.5, n).round(-2)
late = rng.poisson(np.clip(2.5 - income / 25_000, 0.05, None))
loans = pl.DataFrame(
    {
        "purpose": rng.choice(["car", "house", "repair", "boat"], n, p=[0.5, 0.3, 0.18, 0.02]),
        "income": income,
        "late_payments": late,
        "default": np.where(rng.random(n) < 0.02 + 0.06 * late, "yes", "no"),
    }
)

schema = tabsynth.confirm(
    tabsynth.draft_schema(loans), by="A. Steward", source="loan form", columns=["purpose", "default"]
)
fitted = tabsynth.fit(loans, schema=schema)  # differentially private: ε = 1

started = time.perf_counter()
rare = fitted.sample(10_000, seed=1, where={"purpose": "boat", "default": "yes"})
seconds = time.perf_counter() - started

real = loans.filter((pl.col("purpose") == "boat") & (pl.col("default") == "yes"))
print(f"real rows with a boat and a default: {real.height} of {loans.height}")
print(f"synthetic rows with both: {rare.height}, in {seconds:.2f} s")
print(f"mean late payments, all real loans:        {loans['late_payments'].mean():.2f}")
print(
    f"mean late payments, real loans in default: {loans.filter(pl.col('default') == 'yes')['late_payments'].mean():.2f}"
)
print(f"mean late payments, synthetic, both held:  {rare['late_payments'].mean():.2f}")

print(fitted.guarantee)

try:
    fitted.sample(10, where={"purpose": "yacht"})
except tabsynth.errors.ConditionError as refused:
    print(f"refused: {refused}")
