"""`tabsynth schema …` where nothing is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml

from tabsynth.schema import read_schema
from tests.end_to_end.commands import tabsynth_here

_SDV = {
    "METADATA_SPEC_VERSION": "V1",
    "tables": {
        "people": {
            "primary_key": "id",
            "columns": {
                "id": {"sdtype": "id"},
                "sex": {"sdtype": "categorical"},
                "age": {"sdtype": "numerical"},
            },
        }
    },
}
_FRICTIONLESS = {
    "fields": [{"name": "age", "type": "integer", "constraints": {"minimum": 0, "maximum": 120}}]
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a table of two columns and its draft."""
    pl.DataFrame({"age": [i % 70 + 18 for i in range(80)], "sex": ["f", "m"] * 40}).write_csv(
        tmp_path / "t.csv"
    )
    assert tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path).code == 0
    return tmp_path


@pytest.mark.parametrize("document", [_SDV, _FRICTIONLESS])
def test_import_writes_a_schema(tmp_path: Path, document: dict[str, object]) -> None:
    (tmp_path / "foreign.json").write_text(json.dumps(document))
    done = tabsynth_here("schema", "import", "foreign.json", "--out", "s.yaml", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.json["files"] == ["s.yaml"]
    assert "age" in read_schema(tmp_path / "s.yaml").only_table


@pytest.mark.parametrize("document", [_SDV, _FRICTIONLESS])
def test_import_completes_a_schema_from_data(tmp_path: Path, document: dict[str, object]) -> None:
    (tmp_path / "foreign.json").write_text(json.dumps(document))
    rows = [f"{i};{'fm'[i % 2]};{i % 70 + 18};x" for i in range(1, 81)]
    (tmp_path / "people.csv").write_text("\n".join(["id;sex;age;zz", *rows]) + "\n")
    arguments = ("schema", "import", "foreign.json", "--data", "people.csv", "--out", "s.yaml")
    done = tabsynth_here(*arguments, cwd=tmp_path)
    assert done.code == 0, done.err
    table = read_schema(tmp_path / "s.yaml").only_table
    assert (table["age"].bounds, table.csv.delimiter) == (
        ((18, 87), ";") if "sex" in table else ((0, 120), ";")
    )
    said = (
        "what foreign.json lacks: it is draft, and private."
        if "sex" in table
        else "foreign.json lacks nothing"
    )
    assert said in done.out
    assert "that the schema does not know: " in done.err
    if "sex" in table:
        assert table["sex"].categories == ("f", "m")
        assert (tmp_path / "s.yaml").read_text().startswith("# PRIVATE")
        found = tabsynth_here(*arguments, "--overwrite", "--json", cwd=tmp_path).json
        assert (found["private_output"], found["left_out"]) == (True, ["zz"])
        assert {"sex", "age"} <= set(found["filled"])
    check = tabsynth_here("schema", "check", "people.csv", "--schema", "s.yaml", cwd=tmp_path)
    assert check.code == 0, check.out


def test_json_schema_takes_the_files_that_are_written(folder: Path) -> None:
    printed = tabsynth_here("schema", "json-schema", cwd=folder)
    document = json.loads(printed.out)
    jsonschema.validate(yaml.safe_load((folder / "s.yaml").read_text()), document)
    written = tabsynth_here("schema", "json-schema", "--of", "run", "--out", "run.json", cwd=folder)
    assert written.code == 0
    run = {"version": 1, "privacy": "none", "tables": {"t": {"source": "t.csv"}}}
    jsonschema.validate(run, json.loads((folder / "run.json").read_text()))


def test_confirm_takes_columns_then_all_that_is_left(folder: Path) -> None:
    def confirm(*args: str) -> dict[str, object]:
        return tabsynth_here("schema", "confirm", "s.yaml", *args, "--json", cwd=folder).json

    first = confirm("--by", "A. Steward", "--source", "form 4", "--column", "age")
    assert (first["confirmed"], first["still_draft"]) == (["age"], ["sex"])
    assert (folder / "s.yaml").read_text().startswith("# PRIVATE")
    rest = confirm("--by", "B. Keeper", "--source", "law", "--all")
    assert (rest["confirmed"], rest["still_draft"]) == (["sex"], [])
    table = read_schema(folder / "s.yaml").only_table
    assert (table["age"].domain.by, table["sex"].domain.by) == ("A. Steward", "B. Keeper")
    assert "PRIVATE" not in (folder / "s.yaml").read_text()
    assert confirm("--by", "C", "--source", "D", "--all")["ok"] is False


def test_confirm_warns_of_comments_that_it_does_not_keep(folder: Path) -> None:
    options = ("--by", "A", "--source", "B", "--column", "age")
    assert "Comments" not in tabsynth_here("schema", "confirm", "s.yaml", *options, cwd=folder).err
    (folder / "s.yaml").write_text((folder / "s.yaml").read_text() + "# mine\n")
    assert (
        "Comments in the file are not kept"
        in tabsynth_here("schema", "confirm", "s.yaml", *options, cwd=folder).err
    )


def test_draft_shows_columns_and_no_values(folder: Path) -> None:
    done = tabsynth_here("schema", "draft", "t.csv", "--name", "people", "--out", "again.yaml", cwd=folder)
    lines = done.out.splitlines()
    (sex,) = (line for line in lines if line.strip().startswith("sex"))
    (age,) = (line for line in lines if line.strip().startswith("age"))
    assert sex.split() == ["sex", "categorical", "quasi-identifier", "2", "categories"]
    assert age.split()[:2] == ["age", "integer"]
    assert "range drafted" in age
    assert "87" not in done.out  # the largest age
    assert read_schema(folder / "again.yaml").only_table.name == "people"


def test_draft_of_a_wide_table_shows_the_first_columns(tmp_path: Path) -> None:
    pl.DataFrame({f"c{i}": [1, 2, 3] for i in range(70)}).write_csv(tmp_path / "wide.csv")
    done = tabsynth_here("schema", "draft", "wide.csv", "--out", "s.yaml", cwd=tmp_path)
    assert "… and 10 columns more, in the file" in done.out
    assert len(done.out.splitlines()) < 90


def test_a_draft_with_a_date_says_what_makes_rows_of_a_person_a_history(tmp_path: Path) -> None:
    cells = {
        "patient_id": [f"P{i % 10:03}" for i in range(40)],
        "came": [f"2024-01-{1 + i % 28:02}" for i in range(40)],
    }
    pl.DataFrame(cells).write_csv(tmp_path / "visits.csv")
    drafted = tabsynth_here("schema", "draft", "visits.csv", "--out", "s.yaml", "--json", cwd=tmp_path)
    assert drafted.json["possible_order"] == "came"
    assert (
        "With order_by: came in the unit, the rows of a person are learnt and drawn as a history"
        in drafted.err
    )
    text = (tmp_path / "s.yaml").read_text(encoding="utf-8")
    assert "; order_by: came in the braces makes their rows a history" in text
    args = ("schema", "confirm", "s.yaml", "--by", "A", "--source", "B", "--column", "came")
    assert "Comments" not in tabsynth_here(*args, cwd=tmp_path).err


def _visits(folder: Path) -> None:
    """40 visits of 10 patients."""
    cells = {"patient_id": [f"P{i % 10:03}" for i in range(40)], "age": [20 + i % 10 for i in range(40)]}
    pl.DataFrame(cells).write_csv(folder / "visits.csv")


def test_identifiers_that_repeat_are_pointed_out_until_the_unit_is_declared(tmp_path: Path) -> None:
    _visits(tmp_path)
    unit = "unit: {column: patient_id, max_rows: 20}"
    drafted = tabsynth_here("schema", "draft", "visits.csv", "--out", "s.yaml", "--json", cwd=tmp_path)
    assert drafted.json["repeating_identifiers"] == ["patient_id"]
    assert "patient_id repeats: if it names persons" in drafted.err
    assert unit in drafted.err
    assert "order_by" not in drafted.err  # nothing here tells which row comes first
    assert drafted.json["possible_order"] is None
    confirmed = tabsynth_here(
        "schema", "confirm", "s.yaml", "--by", "A", "--source", "B", "--column", "age", cwd=tmp_path
    )
    assert "Comments" not in confirmed.err
    commands = {
        "split": (
            "split",
            "visits.csv",
            "--schema",
            "s.yaml",
            "--out",
            "parts",
            "--seed",
            "1",
            "--overwrite",
        ),
        "fit": ("fit", "visits.csv", "--schema", "s.yaml", "--no-privacy", "--out", "model", "--overwrite"),
    }
    for command in commands.values():
        (line,) = tabsynth_here(*command, cwd=tmp_path).err.splitlines()
        assert line.endswith(unit)
        assert "patient_id may repeat" in line
    text = (tmp_path / "s.yaml").read_text()
    (tmp_path / "s.yaml").write_text(text.replace(f"# {unit}", unit))
    for name, command in commands.items():
        done = tabsynth_here(*command, cwd=tmp_path)
        assert (done.code, done.err) == (0, ""), name
    parts = [pl.read_parquet(tmp_path / "parts" / name) for name in ("train.parquet", "holdout.parquet")]
    assert not set(parts[0]["patient_id"]) & set(parts[1]["patient_id"])


def test_a_schema_can_be_drafted_after_the_split(tmp_path: Path) -> None:
    cells = {"age": [20 + i % 50 for i in range(60)], "ward": ["a", "b", "c"] * 20}
    pl.DataFrame(cells).write_csv(tmp_path / "stays.2025.csv", separator=";", null_value="-")
    done = tabsynth_here("split", "stays.2025.csv", "--out", "parts", "--seed", "3", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Split 60 rows by row, seed 3" in done.out
    step = done.out.splitlines()[-1].split()
    assert step[:4] == ["tabsynth", "schema", "draft", "parts/train.parquet"]
    assert tabsynth_here(*step[1:], cwd=tmp_path).code == 0
    table = read_schema(tmp_path / "schema.yaml").only_table
    train = pl.read_parquet(tmp_path / "parts/train.parquet")
    assert table.name == "stays"
    assert table["age"].bounds == (train["age"].min(), train["age"].max())
    real = [
        *("--train", "parts/train.parquet", "--holdout", "parts/holdout.parquet"),
        "--schema",
        "schema.yaml",
    ]
    for command in (
        ["fit", "parts/train.parquet", "--schema", "schema.yaml", "--no-privacy", "--out", "model"],
        ["sample", "model", "--out", "synthetic.csv"],
        ["evaluate", "--synthetic", "synthetic.csv", *real, "--out", "report"],
    ):
        done = tabsynth_here(*command, cwd=tmp_path)
        assert done.code == 0, done.err


def test_a_split_without_a_schema_keeps_persons_whole(tmp_path: Path) -> None:
    pl.DataFrame({"patient": [i // 3 for i in range(60)], "age": range(60)}).write_csv(tmp_path / "stays.csv")
    arguments = ["split", "stays.csv", "--unit", "patient", "--seed", "3", "--out"]
    done = tabsynth_here(*arguments, "parts", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Split 60 rows by 'patient', seed 3" in done.out
    train, holdout = (pl.read_parquet(tmp_path / f"parts/{name}.parquet") for name in ("train", "holdout"))
    assert (train.height, holdout.height) == (30, 30)
    assert set(train["patient"]).isdisjoint(holdout["patient"])
    arguments[3] = "patients"
    done = tabsynth_here(*arguments, "other", cwd=tmp_path)
    assert done.code == 2
    assert "no column 'patients' to split by" in done.err
    assert not (tmp_path / "other").exists()


def test_a_split_without_a_schema_takes_no_table_of_one(tmp_path: Path) -> None:
    _visits(tmp_path)
    done = tabsynth_here("split", "visits.csv", "--table", "visits", "--out", "parts", cwd=tmp_path)
    assert done.code == 2
    assert "--table names a table of a schema: add --schema" in done.err


def test_a_decimal_mark_is_stated(tmp_path: Path) -> None:
    """One row is too little to tell the mark from: `1,5` may be text."""
    (tmp_path / "t.tsv").write_text("x\ty\n1,5\tb\n")
    done = tabsynth_here(
        "schema", "draft", "t.tsv", "--delimiter", "\\t", "--decimal", ",", "--out", "s.yaml", cwd=tmp_path
    )
    assert done.code == 0, done.err
    table = read_schema(tmp_path / "s.yaml").only_table
    assert (table["x"].kind.value, table.csv.decimal) == ("number", ",")
    other = ("schema", "check", "t.tsv", "--schema", "s.yaml", "--decimal")
    assert tabsynth_here(*other, ".", cwd=tmp_path).code == 2
    assert tabsynth_here(*other, ",", cwd=tmp_path).code == 0
    wrong = tabsynth_here(*other, ";", cwd=tmp_path)
    assert (wrong.code, "the decimal mark must be a point or a comma" in wrong.err) == (2, True)


@pytest.mark.parametrize("mark", ["NA", "null", "n/a"])
def test_texts_that_may_mean_null_are_pointed_out_until_they_are_stated(tmp_path: Path, mark: str) -> None:
    rows = [
        f"{['eye', 'ear', mark][at % 3]},{mark if at % 9 == 0 else at % 40},{at % 7}" for at in range(240)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["ward,age,n", *rows, ""]))
    draft = ("schema", "draft", "t.csv", "--out", "s.yaml", "--overwrite", "--json")
    done = tabsynth_here(*draft, cwd=tmp_path)
    assert done.json["possible_nulls"] == ["ward", "age"]
    assert "ward, age: among the cells is a text such as" in done.err
    assert "--null-mark TEXT" in done.err
    stated = tabsynth_here(*draft, "--null-mark", mark, "--null-mark", "", cwd=tmp_path)
    assert (stated.json["possible_nulls"], stated.err) == ([], "")
    pl.read_csv(tmp_path / "t.csv").write_parquet(tmp_path / "t.parquet")
    other = tabsynth_here(
        "schema", "draft", "t.parquet", *draft[3:], cwd=tmp_path
    )  # where no mark can be stated
    assert (other.json["possible_nulls"], other.err) == ([], "")
