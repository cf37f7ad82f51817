"""Rules that hold on every synthetic row: loans whose amount is duration × payments, in order, and with a status that fits.

Run: python examples/rules.py
"""

import datetime as dt

import numpy as np
import pandas as pd

import tabsynth


def loans(n: int = 1500) -> pd.DataFrame:
    """Invented loans that keep their rules."""
    rng = np.random.default_rng(0)
    duration = rng.choice([12, 24, 36, 48, 60], n)
    payments = rng.integers(300, 9000, n)
    granted = np.datetime64("2020-01-01") + rng.integers(0, 700, n)
    overdue = rng.random(n) < 0.15
    return pd.DataFrame(
        {
            "district": rng.choice(["north", "south", "lake"], n),
            "granted": granted.astype("datetime64[s]"),
            "first_payment": (granted + rng.integers(20, 60, n)).astype("datetime64[s]"),
            "duration": duration,
            "payments": payments,
            "amount": duration * payments,
            "status": np.where(overdue, "in debt", "running"),
            "days_overdue": np.where(overdue, rng.integers(1, 300, n), 0),
        }
    )


def main() -> None:
    table = loans()
    rules = tabsynth.rules
    schema = tabsynth.draft_schema(table, name="loans").only_table.with_constraints(
        rules.Formula(column="amount", sql="duration * payments"),
        rules.Inequality(columns=("granted", "first_payment"), strict=True),
        rules.Conditional(
            condition="status = 'in debt'", then="days_overdue > 0", otherwise="days_overdue = 0"
        ),
    )
    fitted = tabsynth.fit(table, schema=schema, engine="gaussian_copula", privacy=tabsynth.NO_PRIVACY)
    rows, outcomes = fitted.sample_reported(5000, seed=1)
    for one in outcomes:
        touched = one.n_swapped + one.n_redrawn
        print(f"{one.rule}: {one.n_violations} violations, by {one.form}, {touched} rows changed")
    assert (rows["amount"] == rows["duration"] * rows["payments"]).all()
    assert rows["first_payment"].min() > pd.Timestamp(dt.date(2019, 12, 1))


if __name__ == "__main__":
    main()
