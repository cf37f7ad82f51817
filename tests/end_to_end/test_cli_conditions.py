"""`sample` under conditions and in shares, `complete`, `near`, and the run file's keys for them."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tabsynth import evaluate
from tabsynth.constraints.rules import constraints_of
from tabsynth.io import read_provenance
from tabsynth.schema import read_schema
from tests.end_to_end.commands import tabsynth_here
from tests.unit.constraints.tables import stays

RULES = """
    constraints:
      - {rule: inequality, columns: [came, left], name: out after in}
      - {rule: formula, column: cost, sql: price * number}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("conditions")
    frame = stays(600).select("came", "left", "alive", "cause", "price", "number", "cost", "town", "region")
    frame.write_csv(place / "t.csv")
    assert tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=place).code == 0
    (place / "r.yaml").write_text((place / "s.yaml").read_text("utf-8") + RULES.removeprefix("\n"), "utf-8")
    options = ("--schema", "r.yaml", "--no-privacy", "--engine", "sequential_trees", "--out", "m")
    done = tabsynth_here("fit", "t.csv", *options, cwd=place)
    assert done.code == 0, done.err
    return place


def test_ranges_sets_and_nulls(folder: Path) -> None:
    where = ["price>=5", "price<12", "town in u, v", "cause!="]
    options = [part for text in where for part in ("--where", text)]
    done = tabsynth_here(
        "sample", "m", "--rows", "200", "--seed", "1", "--out", "a.csv", *options, cwd=folder
    )
    assert done.code == 0, done.err
    rows = pl.read_csv(folder / "a.csv")
    assert rows["price"].is_between(5, 11).all()
    assert rows["town"].is_in(["u", "v"]).all()
    assert rows["cause"].null_count() == 0
    assert "Asked for by price, town, cause: 200 rows, " in done.out
    assert read_provenance(folder / "a.csv").steered == ("price", "town", "cause")
    told = tabsynth_here(
        "sample", "m", "--rows", "200", "--seed", "1", "--out", "b.csv", "--json", *options, cwd=folder
    ).json
    assert told["where"] == ["cause", "price", "town"]
    assert told["conditions"]["rows"] == 200
    assert 0 < told["conditions"]["effective_sample_size"] <= 200


def test_shares_are_met(folder: Path) -> None:
    options = ["--rebalance", "alive=false:0.5", "--oversample", "town=w:2"]
    done = tabsynth_here(
        "sample", "m", "--rows", "400", "--seed", "1", "--out", "c.csv", *options, cwd=folder
    )
    assert done.code == 0, done.err
    rows = pl.read_csv(folder / "c.csv")
    assert (~rows["alive"]).sum() == 200
    assert "Asked for by alive, town: 400 rows" in done.out
    assert f" town=w: {(rows['town'] == 'w').mean():.3g} of the rows, " in done.out
    wrong = tabsynth_here("sample", "m", "--out", "x.csv", "--rebalance", "alive=false:2", cwd=folder)
    assert wrong.code == 2
    assert "'alive' expects a share from 0 to 1" in wrong.err
    assert not (folder / "x.csv").exists()


def test_an_evaluation_says_which_shares_were_asked_for(folder: Path) -> None:
    held_out = stays(900).tail(300)
    held_out.select(pl.read_csv(folder / "t.csv").columns).write_csv(folder / "h.csv")
    for name, asked in (("asked", ["--rebalance", "alive=false:0.5"]), ("plain", [])):
        options = ("--rows", "400", "--seed", "1", "--out", f"{name}.csv", *asked)
        assert tabsynth_here("sample", "m", *options, cwd=folder).code == 0
        real = ("--train", "t.csv", "--holdout", "h.csv")
        files = (*real, "--synthetic", f"{name}.csv", "--schema", "r.yaml", "--out", f"about-{name}")
        done = tabsynth_here("evaluate", *files, cwd=folder)
        assert done.code == 0, done.err
        page = (folder / f"about-{name}" / "report.html").read_text("utf-8")
        told = "were asked for under conditions or in shares of alive:"
        assert (told in " ".join(done.out.split()), told in page) == (bool(asked), bool(asked))
        results = json.loads((folder / f"about-{name}" / "results.json").read_text("utf-8"))
        assert results["steered"] == ["alive"] * bool(asked)
    files = [folder / name for name in ("asked.csv", "t.csv", "h.csv")]
    results = evaluate(*files, schema=read_schema(folder / "r.yaml"))
    assert results.steered == ("alive",)


def test_rows_are_completed_and_gaps_filled(folder: Path) -> None:
    (folder / "known.csv").write_text("town,price\nu,7\n,9\nw,\n", "utf-8")
    done = tabsynth_here("complete", "m", "known.csv", "--seed", "1", "--out", "d.csv", cwd=folder)
    assert done.code == 0, done.err
    rows = pl.read_csv(folder / "d.csv", try_parse_dates=True)
    assert rows["town"].to_list()[::2] == ["u", "w"]
    assert rows["price"].to_list()[:2] == [7, 9]
    assert (rows["price"] * rows["number"] == rows["cost"]).all()
    assert (rows["came"] <= rows["left"]).fill_null(value=True).all()
    assert "the guarantee of the model does not cover them" in done.out
    assert "0 violations  out after in" in done.out
    filled = tabsynth_here("complete", "m", "known.csv", "--impute", "--out", "e.csv", "--json", cwd=folder)
    assert filled.code == 0, filled.err
    assert filled.json["conditions"]["rows_moved"] == 0
    rows = pl.read_csv(folder / "e.csv")
    assert rows.columns == ["town", "price"]
    assert sum(rows.null_count().row(0)) == 0
    wrong = tabsynth_here("complete", "m", "known.csv", "--null", "twon", "--out", "f.csv", cwd=folder)
    assert wrong.code == 2
    assert "--null names no column of known.csv: 'twon' (did you mean 'town'?)" in wrong.err
    for name in ("d.csv", "e.csv"):
        mark = read_provenance(folder / name)
        assert mark is not None
        assert (mark.given_cells, mark.real_share) == (True, None)
    decided = ("policy", "check", "--model", "m", "--synthetic", "d.csv", "--for", "internal", "--json")
    done = tabsynth_here(*decided, "--sign-off", "A. Officer", "--reason", "r", cwd=folder)
    assert done.code == 3
    assert "it holds given cells, which may be real" in str(done.json["reasons"])


def test_rows_near_others(folder: Path) -> None:
    options = ("--rows", "40", "--keep", "0.7", "--seed", "1", "--out", "f.csv")
    done = tabsynth_here("near", "m", "known.csv", *options, cwd=folder)
    assert done.code == 0, done.err
    assert pl.read_csv(folder / "f.csv").height == 40
    assert "Sampled 40 rows near those of known.csv, seed 1" in done.out
    mark = read_provenance(folder / "f.csv")
    assert mark is not None
    assert (mark.given_cells, mark.real_share) == (True, None)
    wrong = tabsynth_here(
        "near", "m", "known.csv", "--rows", "4", "--keep", "7", "--out", "g.csv", cwd=folder
    )
    assert wrong.code == 2
    assert "keep must be a number from 0 to 1" in wrong.err
    wrong = tabsynth_here("complete", "m", "known.csv", "--seed", "-7", "--out", "g.csv", cwd=folder)
    assert wrong.code == 2
    assert "the seed must be" in wrong.err


def test_given_numbers_are_written_as_they_came(tmp_path: Path) -> None:
    pl.DataFrame({"x": [k / 100 for k in range(300)], "g": ["p", "q", "r"] * 100}).write_csv(
        tmp_path / "t.csv"
    )
    assert tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path).code == 0
    options = ("--schema", "s.yaml", "--no-privacy", "--engine", "independent", "--out", "m")
    assert tabsynth_here("fit", "t.csv", *options, cwd=tmp_path).code == 0
    (tmp_path / "known.csv").write_text("x,g\n1.2849987,p\n2,q\n,r\n0.50,\n", "utf-8")
    done = tabsynth_here("complete", "m", "known.csv", "--seed", "1", "--out", "a.csv", cwd=tmp_path)
    assert done.code == 0, done.err
    lines = [line.split(",") for line in (tmp_path / "a.csv").read_text("utf-8").splitlines()]
    assert [line[0] for line in lines[1:3]] == ["1.2849987", "2"]
    assert lines[4][0] == "0.50"
    assert len(lines[3][0].partition(".")[2]) <= 2
    pl.DataFrame({"x": [1.2849987]}).write_parquet(tmp_path / "known.parquet")
    for command, options in (("complete", ()), ("near", ("--rows", "3", "--keep", "1"))):
        done = tabsynth_here(command, "m", "known.parquet", *options, "--out", f"{command}.csv", cwd=tmp_path)
        assert done.code == 0, done.err
        assert set(pl.read_csv(tmp_path / f"{command}.csv")["x"]) == {1.2849987}


RUN = """
version: 1
schema: r.yaml
privacy: none
seed: 3
tables:
  {name}:
    source: t.csv
    engine: independent
    rows: 300
    where: {{price: {{">=": 5}}, town: [u, v]}}
    rebalance: {{alive: {{"true": 0.25}}}}
    oversample: {{region: {{A: 1.2}}}}
"""


def test_a_run_is_steered(folder: Path) -> None:
    name = read_schema(folder / "r.yaml").only_table.name
    (folder / "run.yaml").write_text(RUN.format(name=name).removeprefix("\n"), "utf-8")
    done = tabsynth_here("run", "run.yaml", "--out", "ran", cwd=folder)
    assert done.code == 0, done.err
    rows = pl.read_csv(folder / "ran" / "private" / name / "synthetic.csv", try_parse_dates=True)
    assert (rows["price"] >= 5).all()
    assert rows["town"].is_in(["u", "v"]).all()
    assert rows["alive"].sum() == 75
    assert "Asked for by" in done.out
    assert "made under conditions or in other shares" in (
        folder / "ran" / "private" / name / "report.html"
    ).read_text("utf-8")
    assert "Asked for by" in (folder / "ran" / "private" / name / "report.html").read_text("utf-8")
    again = (folder / "ran" / "private" / "run.yaml").read_text("utf-8")
    assert "rebalance" in again
    assert (
        tabsynth_here("run", folder / "ran" / "private" / "run.yaml", "--out", "again", cwd=folder).code == 0
    )
    wrong = RUN.format(name=name).replace("price:", "prize:").removeprefix("\n")
    (folder / "wrong.yaml").write_text(wrong, "utf-8")
    refused = tabsynth_here("run", "wrong.yaml", "--out", "wrong", cwd=folder)
    assert refused.code == 2
    assert "no column 'prize' (did you mean 'price'?)" in refused.err


def test_rules_hold_whatever_is_asked(folder: Path) -> None:
    schema = read_schema(folder / "r.yaml").only_table
    rows = pl.read_csv(folder / "c.csv", schema_overrides={"came": pl.Date, "left": pl.Date})
    for one in constraints_of(schema):
        assert not one.violations(rows).any()
