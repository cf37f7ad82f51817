"""No identifier and no text of the source is in a model, in rows, in a log or in an error; and a copy would be seen."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.encode import Surrogate
from tabsynth.pipeline.fitted import FittedPipeline
from tabsynth.schema.types import Column, Generator, Kind, Role, TableSchema

N = 400
SECRETS = {
    "patient": [f"Qz{7_000_000 + 7919 * at}" for at in range(N)],
    "number": [870_000_000 + 104_729 * at for at in range(N)],
    "mail": [f"wxyz{at}qq@real-bank.test" for at in range(N)],
    "surname": [f"Vantroyfenix{at}" for at in range(N)],
    "remark": [f"Secretstory number {at} of a real person" for at in range(N)],
    "file": [f"LL/{31_337 + 13 * at:08}" for at in range(N)],
}


def identifier(name: str, *, dtype: str = "string", **keys: object) -> Column:
    return Column(name=name, kind=Kind.IDENTIFIER, dtype=dtype, role=Role.IDENTIFIER, **keys)


SCHEMA = TableSchema(
    name="t",
    columns=(
        identifier("patient", unique=True, generator=Generator(make="pattern", pattern=r"Qz\d{7}")),
        identifier("number", dtype="int64", unique=True),
        identifier("mail", unique=True, generator=Generator(make="email")),
        Column(name="surname", kind=Kind.TEXT, dtype="string", role=Role.IDENTIFIER, format="last_name"),
        Column(
            name="remark",
            kind=Kind.TEXT,
            dtype="string",
            generator=Generator(make="template", text="{ward}: {surname}"),
        ),
        identifier("file", format="LL/########"),
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("eye", "ear")),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 99)),
    ),
)


def source() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame({**SECRETS, "ward": rng.choice(["eye", "ear"], N), "age": rng.integers(0, 99, N)})


def cells() -> set[str]:
    return {str(cell) for column in SECRETS.values() for cell in column}


def leaked(text: str) -> set[str]:
    """The cells of the source's identifiers and texts that a text holds."""
    return {cell for cell in cells() if cell in text}


def written(folder: Path) -> str:
    return "".join(
        path.read_bytes().decode("latin-1") for path in sorted(folder.rglob("*")) if path.is_file()
    )


# Of 10**7 numbers of a pattern 400 are drawn and 400 are the source's: one is hit with probability 400 · 400 / 10**7
# = 1.6 %, and the seed is fixed.
@pytest.mark.filterwarnings("ignore:No (more than one level|range) was found:UserWarning")  # so few rows
@pytest.mark.parametrize("privacy", [ts.NO_PRIVACY, ts.Budget(epsilon=1)], ids=["none", "private"])
@pytest.mark.parametrize("engine", ["independent", "bayesian_network", "sequential_trees"])
def test_nothing_of_them_is_anywhere(engine, privacy, tmp_path, capfd):
    if engine == "sequential_trees" and privacy is not ts.NO_PRIVACY:
        pytest.skip("this engine claims no privacy")
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        fitted = ts.fit(source(), schema=SCHEMA, engine=engine, privacy=privacy)
        fitted.save(tmp_path / "model")
        rows = ts.FittedPipeline.load(tmp_path / "model").sample(1000, seed=5)
    finally:
        logging.getLogger().removeHandler(handler)
    rows.write_csv(tmp_path / "rows.csv")
    text = written(tmp_path) + repr(fitted) + log.getvalue() + "".join(capfd.readouterr())
    assert rows.height == 1000
    assert leaked(text) == set()


def test_errors_name_columns_and_counts_alone():
    said = []
    for change in (
        {"ward": pl.lit("Vantroyfenix7")},
        {"patient": pl.lit(SECRETS["patient"][3])},
        {"age": pl.lit(870_104_729)},
    ):
        with pytest.raises(ts.errors.DataError) as error:
            ts.fit(source().with_columns(**change), schema=SCHEMA, privacy=ts.NO_PRIVACY)
        said.append(str(error.value))
    said += [
        str(fault)
        for fault in ts.check(source(), SCHEMA.with_column(replace(SCHEMA["number"], kind=Kind.INTEGER)))
    ]
    assert "'number'" in said[-1]
    assert leaked(" ".join(said)) == set()


class Copying(Surrogate):
    """A planted fault: the cells of the source, as a pool to draw from."""

    def make(self, n_total, start, n_rows, *, streams, block):  # noqa: ARG002
        pool = pl.Series(self.column.name, SECRETS[self.column.name])
        return pool.gather(streams.generator("copy", block).integers(len(pool), size=n_rows))


def test_a_model_that_copies_is_seen():
    fitted = ts.fit(source(), schema=SCHEMA, engine="independent", privacy=ts.NO_PRIVACY)
    broken = FittedPipeline(
        **{
            **{
                name: getattr(fitted, name)
                for name in ("engine", "model", "n_rows", "privacy", "ledger", "layout")
            },
            "schema": fitted.schema,
            "surrogates": tuple(
                Copying(one.column) if one.column.name in ("file", "number") else one
                for one in fitted.surrogates
            ),
        }
    )
    assert len(leaked(broken.sample(1000, seed=5).write_csv())) > 300


def test_a_reviewer_would_find_the_source_with_this_search(tmp_path):
    source().write_csv(tmp_path / "t.csv")
    assert leaked(written(tmp_path)) == cells()
    assert leaked(json.dumps(SECRETS["number"])) == {str(number) for number in SECRETS["number"]}
