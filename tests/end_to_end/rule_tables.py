"""Made-up tables with the columns of `examples/rules`, rows that break their rules, and the rules once more by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

N_ROWS = 600
COVERS = (
    "analysis", "dentistry", "diagnostics", "endoscopy", "hospitalizations", "mammography", "operations", "visits"
)  # fmt: skip
TRANSPORT, MINUTES, OCCUPANTS = (
    "Means of transportation to work", "Travel time to work", "Vehicle occupancy"
)  # fmt: skip
Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Example:
    """`make` draws rows that keep all rules; `right` and `wrong` are by hand: changes to the first right row, each with the
    position of the one rule that it breaks; `holds` says of a row whether it keeps all rules, in polars."""

    make: Callable[[Rng], pl.DataFrame]
    right: tuple[Mapping[str, object], ...]
    wrong: tuple[tuple[Mapping[str, object], int], ...]
    holds: pl.Expr


def _fleet(rng: Rng) -> pl.DataFrame:
    begin = np.datetime64("2011-01-01") + rng.integers(0, 1000, N_ROWS)
    days = pl.DataFrame({"BeginDate": begin, "EndDate": begin + rng.integers(0, 365, N_ROWS)})
    return days.select(
        pl.col("BeginDate").dt.year().cast(pl.Int64).alias("Year"),
        pl.col("BeginDate").cast(pl.Date).dt.to_string("%Y-%m-%d"),
        pl.col("EndDate").cast(pl.Date).dt.to_string("%Y-%m-%d"),
    )


CLASSES = {
    "ARF/MOSF w/Sepsis": "ARF/MOSF",
    "MOSF w/Malig": "ARF/MOSF",
    "CHF": "COPD/CHF/Cirrhosis",
    "COPD": "COPD/CHF/Cirrhosis",
    "Cirrhosis": "COPD/CHF/Cirrhosis",
    "Colon Cancer": "Cancer",
    "Lung Cancer": "Cancer",
    "Coma": "Coma",
}


def _support(rng: Rng) -> pl.DataFrame:
    group = rng.choice(list(CLASSES), N_ROWS)
    return pl.DataFrame({"dzgroup": group, "dzclass": [CLASSES[str(one)] for one in group]})


def _loans(rng: Rng) -> pl.DataFrame:
    duration = rng.choice([12, 24, 36, 48, 60], N_ROWS)
    payments = rng.integers(300, 9900, N_ROWS)
    return pl.DataFrame(
        {"amount": duration * payments, "duration": duration, "payments": payments.astype(float)}
    )


def _deaths(rng: Rng) -> pl.DataFrame:
    death = (rng.random(N_ROWS) < 0.3).astype(np.int64)
    cause = rng.choice(["Circulatory", "Neoplasms", "Respiratory"], N_ROWS)
    chapter = [str(c) if dead else None for dead, c in zip(death, cause, strict=True)]
    return pl.DataFrame({"death": death, "chapter": chapter})


def _claims(rng: Rng) -> pl.DataFrame:
    counts = {f"num_{name}": rng.poisson(0.4, N_ROWS) for name in COVERS}
    amounts = {
        f"amt_{name}": np.where(
            counts[f"num_{name}"] > 0, np.round(5 + 100 * rng.exponential(size=N_ROWS), 2), 0.0
        )
        for name in COVERS
    }
    return pl.DataFrame(counts | amounts)


PLACES = (
    ("Ohio/OH", "East North Central (Midwest region)", "Midwest"),
    ("Iowa/IA", "West North Central (Midwest region)", "Midwest"),
    ("Texas/TX", "West South Central (South Region)", "South"),
    ("Maine/ME", "New England (Northeast region)", "Northeast"),
    ("Puerto Rico/PR", "Puerto Rico", "Puerto Rico"),
)


def _workers(rng: Rng) -> pl.DataFrame:
    places = [PLACES[at] for at in rng.integers(0, len(PLACES), N_ROWS)]
    way = rng.choice(["Worked at home", "Car, truck, or van", "Walked"], N_ROWS, p=[0.2, 0.6, 0.2])
    minutes, people = rng.integers(1, 120, N_ROWS), rng.choice([1, 2, 3], N_ROWS)
    return pl.DataFrame(
        {
            **{
                name: [place[k] for place in places] for k, name in enumerate(("State", "Division", "Region"))
            },
            TRANSPORT: way,
            MINUTES: [None if w == "Worked at home" else int(m) for w, m in zip(way, minutes, strict=True)],
            OCCUPANTS: [
                int(p) if w == "Car, truck, or van" else None for w, p in zip(way, people, strict=True)
            ],
        }
    )


def _hours(rng: Rng) -> pl.DataFrame:
    start, days = dt.datetime(2010, 1, 1, tzinfo=dt.UTC), rng.permutation(43_824)[:N_ROWS]
    times = [start + dt.timedelta(hours=int(one)) for one in days]
    parts = ("year", "month", "day", "hour")
    return pl.DataFrame({part: [getattr(time, part) for time in times] for part in parts})


def _drivers(rng: Rng) -> pl.DataFrame:
    has = rng.random(N_ROWS) < 0.3
    age, other = rng.integers(19, 90, N_ROWS), rng.integers(19, 90, N_ROWS)
    return pl.DataFrame(
        {
            "drv_drv2": np.where(has, "Yes", "No"),
            "drv_age1": age,
            "drv_age2": np.where(has, other, 0),
            "drv_sex2": np.where(has, rng.choice(["F", "M"], N_ROWS), ""),
            "drv_age_lic1": np.maximum(1, age - 18 - rng.integers(0, 8, N_ROWS)),
            "drv_age_lic2": np.where(has, np.maximum(1, other - 20), 0),
        }
    )


def _claimed(name: str, count: int, amount: float) -> dict[str, object]:
    return {f"num_{name}": count, f"amt_{name}": amount}


_NO_CLAIM = {key: value for name in COVERS for key, value in _claimed(name, 0, 0.0).items()}
_HOME = {"State": "Ohio/OH", "Division": PLACES[0][1], "Region": "Midwest", TRANSPORT: "Worked at home"} | {
    MINUTES: None, OCCUPANTS: None
}  # fmt: skip
_ALONE = {
    "drv_drv2": "No", "drv_age1": 40, "drv_age2": 0, "drv_sex2": "", "drv_age_lic1": 22, "drv_age_lic2": 0
}  # fmt: skip
_TRIPLES = [PLACES[k][0] + PLACES[k][1] + PLACES[k][2] for k in range(len(PLACES))]

EXAMPLES = {
    "fleet_insurance_pg16": Example(
        make=_fleet,
        right=(
            {"Year": 2011, "BeginDate": "2011-12-31", "EndDate": "2012-01-30"},
            {"Year": 2012, "BeginDate": "2012-02-29", "EndDate": "2012-02-29"},
        ),
        wrong=(({"EndDate": "2011-12-30"}, 0), ({"Year": 2012}, 1)),
        holds=(pl.col("BeginDate") <= pl.col("EndDate"))  # ISO texts sort as their days do
        & (pl.col("Year") == pl.col("BeginDate").str.head(4).cast(pl.Int64)),
    ),
    "support2": Example(
        make=_support,
        right=({"dzgroup": "COPD", "dzclass": "COPD/CHF/Cirrhosis"}, {"dzgroup": "Coma", "dzclass": "Coma"}),
        wrong=(({"dzclass": "Cancer"}, 0), ({"dzgroup": "Lung Cancer"}, 0)),
        holds=pl.col("dzgroup").replace_strict(CLASSES) == pl.col("dzclass"),
    ),
    "berka": Example(
        make=_loans,
        right=(
            {"amount": 24 * 3373, "duration": 24, "payments": 3373.0},
            {"amount": 3648, "duration": 12, "payments": 304.0},
        ),
        wrong=(({"amount": 24 * 3373 + 1}, 0), ({"duration": 36}, 0)),
        holds=pl.col("amount") == pl.col("duration") * pl.col("payments"),
    ),
    "flchain": Example(
        make=_deaths,
        right=({"death": 1, "chapter": "Neoplasms"}, {"death": 0, "chapter": None}),
        wrong=(({"death": 0}, 0), ({"chapter": None}, 0)),
        holds=(pl.col("death") == 0) == pl.col("chapter").is_null(),
    ),
    "health_insurance_eu": Example(
        make=_claims,
        right=(_NO_CLAIM, _NO_CLAIM | _claimed("visits", 2, 61.5)),
        wrong=tuple(
            (_claimed(name, *cells), at) for at, name in enumerate(COVERS) for cells in ((1, 0.0), (0, 12.5))
        ),
        holds=pl.all_horizontal(
            (pl.col(f"num_{name}") == 0) == (pl.col(f"amt_{name}") == 0) for name in COVERS
        ),
    ),
    "acs_income_2018": Example(
        make=_workers,
        right=(_HOME, _HOME | {TRANSPORT: "Car, truck, or van", MINUTES: 20, OCCUPANTS: 1}),
        wrong=(
            ({"State": "Texas/TX"}, 0),
            ({"Region": "South"}, 0),
            ({MINUTES: 5}, 1),
            ({TRANSPORT: "Walked"}, 1),
            ({OCCUPANTS: 2}, 2),
        ),
        holds=pl.concat_str("State", "Division", "Region").is_in(_TRIPLES)
        & ((pl.col(TRANSPORT) == "Worked at home") == pl.col(MINUTES).is_null())
        & ((pl.col(TRANSPORT) == "Car, truck, or van") == pl.col(OCCUPANTS).is_not_null()),
    ),
    "beijing_pm25": Example(
        make=_hours,
        right=(
            {"year": 2012, "month": 2, "day": 29, "hour": 0},
            {"year": 2013, "month": 12, "day": 31, "hour": 23},
        ),
        wrong=(({"year": 2013}, 0), ({"month": 4, "day": 31}, 0), ({"month": 2, "day": 30}, 0)),
        holds=pl.date("year", "month", 1).dt.month_end().dt.day() >= pl.col("day"),
    ),
    "motor_insurance_pg17": Example(
        make=_drivers,
        right=(_ALONE, _ALONE | {"drv_drv2": "Yes", "drv_age2": 38, "drv_sex2": "F", "drv_age_lic2": 20}),
        wrong=(
            ({"drv_drv2": "Yes"}, 0),
            ({"drv_age2": 30}, 0),
            ({"drv_sex2": "M"}, 0),
            ({"drv_age_lic1": 23}, 1),
        ),
        holds=(
            ((pl.col("drv_drv2") == "No") == (pl.col("drv_age2") == 0))
            & ((pl.col("drv_drv2") == "No") == (pl.col("drv_sex2") == ""))
            & ((pl.col("drv_drv2") == "Yes") | (pl.col("drv_age_lic2") == 0))
            & (pl.col("drv_age_lic1") <= pl.col("drv_age1") - 18)
        ),
    ),
}
