"""The run file: read whole, written whole, carried out whole."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import tabsynth as ts
from tabsynth.audit import AuditResults
from tabsynth.config.document import run_config_json_schema
from tabsynth.config.files import read_run, run_from_dict, run_to_dict, run_to_yaml
from tabsynth.config.run import run
from tabsynth.config.steps import (
    first_rows,
    folder_names,
    left_out,
    read_real,
    require_distinct,
    require_free,
    staged,
    table_of,
)
from tabsynth.config.types import CsvOptions, RunConfig, TableRun, privacy_of
from tabsynth.errors import BudgetError, OutputExistsError, SchemaError, StructureError, UsageError
from tabsynth.io import column_names, write_frame
from tabsynth.metrics.base import Status
from tabsynth.models.independent import Independent
from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
from tabsynth.pipeline import FittedPipeline, split_rows
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget
from tabsynth.privacy.ledger_file import create_ledger_file, read_ledger_file
from tabsynth.randomness import seed_for
from tabsynth.schema import read_schema
from tabsynth.schema.types import Column, CsvDialect, Kind, Schema, TableSchema

_COLUMNS = (
    Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(18, 90)),
    Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
)
_SCHEMA = Schema(tables=(TableSchema(name="stays", columns=_COLUMNS),))
_ROWS = "age,ward\n" + "".join(f"{20 + i % 50},{'ab'[i % 3 == 0]}\n" for i in range(120))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one source and its schema."""
    (tmp_path / "stays.csv").write_text(_ROWS)
    (tmp_path / "schema.json").write_text(json.dumps(_schema_data()))
    return tmp_path


def _schema_data() -> dict[str, object]:
    columns = {
        "age": {"kind": "integer", "bounds": [18, 90]},
        "ward": {"kind": "categorical", "categories": ["a", "b"]},
    }
    return {"version": 1, "tables": {"stays": {"columns": columns}}}


def _minimal() -> dict[str, object]:
    return {
        "version": 1,
        "schema": "schema.json",
        "privacy": "none",
        "tables": {"stays": {"source": "stays.csv"}},
    }


def _faults(data: object, folder: Path) -> list[str]:
    """The faults of a run file that holds `data`, as text without line numbers."""
    (folder / "run.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(SchemaError) as caught:
        read_run(folder / "run.yaml")
    assert caught.value.faults
    return [str(fault) for fault in caught.value.faults]


def test_a_minimal_file_takes_every_default(folder: Path) -> None:
    read = run_from_dict(_minimal(), folder=folder)
    assert read.tables == (TableRun(name="stays", source=folder / "stays.csv"),)
    assert read.privacy == NO_PRIVACY
    assert (read.seed, read.holdout, read.evaluation, read.formats) == (None, 0.5, True, ())
    assert read.tables[0].engine == make_engine(DEFAULT_ENGINE)
    assert DEFAULT_ENGINE == "bayesian_network"
    assert read.schema is not None
    assert read.schema["stays"].column_names == ("age", "ward")


def test_a_run_is_private_unless_told_otherwise(folder: Path) -> None:
    for privacy in (None, {}, {"epsilon": 1}, {"delta": 1e-6}):
        read = run_from_dict(_minimal() | {"privacy": privacy}, folder=folder)
        assert read.privacy == Budget(epsilon=1.0, delta=1e-6)
    silent = {key: value for key, value in _minimal().items() if key != "privacy"}
    assert run_from_dict(silent, folder=folder).privacy == DEFAULT_BUDGET
    assert RunConfig(tables=(TableRun(name="t", source=folder / "stays.csv"),)).privacy == DEFAULT_BUDGET
    read = run_from_dict(silent | {"ledger": "kept/ledger"}, folder=folder)
    assert read.ledger == folder / "kept/ledger"
    assert run_to_dict(read, folder=folder)["ledger"] == "kept/ledger"


def test_every_key_is_read(folder: Path) -> None:
    data = _minimal() | {
        "seed": 7,
        "holdout": 0.25,
        "evaluation": False,
        "output": {"formats": ["parquet", "csv"]},
    }
    data["schema"] = _schema_data()
    data["privacy"] = {"epsilon": 1, "delta": 1e-5}
    data["tables"] = {
        "stays": {
            "source": str(folder / "stays.csv"),
            "csv": {"delimiter": ";", "quote": "'", "encoding": "cp1252", "null_marks": ["", "NA"]},
            "engine": "independent",
            "settings": {"min_group": 20},
            "rows": 5,
            "target": "ward",
            "title": "Stays",
        }
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(data))
    read = read_run(folder / "run.yaml")
    assert read == RunConfig(
        tables=(
            TableRun(
                name="stays",
                source=folder / "stays.csv",
                csv=CsvOptions(delimiter=";", quote="'", encoding="cp1252", null_marks=("", "NA")),
                engine=Independent(min_group=20),
                rows=5,
                target="ward",
                title="Stays",
            ),
        ),
        schema=read.schema,
        privacy=Budget(epsilon=1, delta=1e-5),
        seed=7,
        holdout=0.25,
        evaluation=False,
        formats=("parquet", "csv"),
    )
    assert run_from_dict(run_to_dict(read)) == read


def test_all_faults_are_listed_at_once_with_line_and_hint(folder: Path) -> None:
    (folder / "run.yaml").write_text(
        "version: 1\n"
        "schema: schema.json\n"
        "privcy: none\n"
        "seed: seven\n"
        "holdout: 1\n"
        "output: {formats: [parquet, 3]}\n"
        "tables:\n"
        "  stays:\n"
        "    source: stay.csv\n"
        "    engine: gaussian\n"
        "    target: wards\n"
        "    csv: {delimter: ';'}\n"
        "  visits:\n"
        "    source: stays.csv\n"
        "    settings: {min_grup: 20, ridge: odd}\n"
        "    rows: -1\n"
    )
    with pytest.raises(SchemaError) as caught:
        read_run(folder / "run.yaml")
    text = str(caught.value)
    assert "run.yaml has 11 faults" in text
    for expected in (
        "privcy: line 3: unknown key (did you mean 'privacy'?)",
        "seed: line 4: expected a whole number, found text",
        "holdout: line 5: expected a number below 1, found 1 or more",
        "output.formats[1]: line 6: expected text, found a whole number (write it in quotes)",
        "tables.stays.source: line 9: stay.csv is not there: no such file (did you mean stays.csv?)",
        "tables.stays.engine: line 10: unknown engine 'gaussian' (did you mean 'gaussian_copula'?)",
        "tables.stays.target: line 11: no column 'wards' in this table (did you mean 'ward'?)",
        "tables.stays.csv.delimter: line 12: unknown key (did you mean 'delimiter'?)",
        "tables.visits: line 13: the schema has no table of this name",
        "unknown setting 'min_grup' (did you mean 'min_group'?)",
        "setting 'ridge': expected float",
        "tables.visits.rows: line 16: expected 0 or more, found less than 0",
    ):
        assert expected.replace("stay.csv is not", f"{folder}/stay.csv is not") in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"version": 2}, "version: expected version 1"),
        ({"tables": {}}, "tables: a run needs at least one table"),
        ({"tables": {"stays": {}}}, "tables.stays.source: required key is missing"),
        ({"tables": {"stays": 3}}, "tables.stays: expected a mapping, found a whole number"),
        ({"privacy": "some"}, "privacy: expected none or a mapping with epsilon and delta, found text"),
        ({"privacy": {"epsilon": -1}}, "privacy: epsilon must be positive"),
        ({"privacy": {"epsilon": 1, "delta": 2}}, "privacy: delta must lie strictly between 0 and 1"),
        ({"privacy": {"epsilon": "one"}}, "privacy.epsilon: expected a number, found text"),
        ({"ledger": 5}, "ledger: expected text, found a whole number"),
        ({"ledger": "l", "privacy": "none"}, "ledger: a run without privacy has no place in a ledger"),
        ({"privacy": {"epsilon": 1, "unit": "row"}}, "privacy.unit: unknown key"),
        ({"seed": -1}, "seed: expected 0 or more, found less than 0"),
        ({"schema": 3}, "schema: expected a file's name or a schema, found a whole number"),
        ({"schema": "absent.yaml"}, "cannot be read"),
        ({"schema": {"version": 1, "tables": {"stays": {"columns": {"age": {"kind": "int"}}}}}}, "schema: tables.stays.columns.age.kind: unknown kind"),
        ({"output": {"formats": ["xlsx"]}}, "output.formats[0]: unknown format 'xlsx'"),
        ({"tables": {"stays": {"source": "stays.xlsx"}}}, "unknown kind of file"),
        ({"tables": {"stays": {"source": "stays.csv", "csv": {"delimiter": "ab"}}}}, "the delimiter must be one ASCII character"),
        ({"tables": {"stays": {"source": "stays.csv", "csv": {"decimal": ";"}}}}, "the decimal mark must be a point or a comma"),
        ({"tables": {"stays": {"source": "stays.csv", "settings": {"min_group": [1]}}}}, "setting 'min_group'"),
    ],
)  # fmt: skip
def test_each_fault_has_its_words(folder: Path, change: dict[str, object], expected: str) -> None:
    faults = _faults(_minimal() | change, folder)
    assert any(expected in fault.replace(" line 1:", "") for fault in map(_without_line, faults)), faults


def _without_line(text: str) -> str:
    before, mark, after = text.partition("line ")
    return before + after.partition(": ")[2] if mark else text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "run.yaml is empty"),
        ("- a\n", "expected a mapping with the keys version and tables, found a list"),
        ("a: [", "run.yaml is not YAML: line"),
        ("a: \x00", "run.yaml is not YAML"),
        ("version: 1\nversion: 1\nprivacy: none\ntables: {}\n", "stands here twice"),
        ("version: 1\nprivacy: none\ntables: [1]\n", "tables: line 3: expected a mapping, found a list"),
    ],
)
def test_files_that_are_no_run_at_all(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(SchemaError) as caught:
        read_run(tmp_path / "run.yaml")
    assert expected in str(caught.value)


def test_a_missing_run_file_is_a_schema_error(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot be read"):
        read_run(tmp_path / "absent.yaml")


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    name=_NAMES,
    rows=st.none() | st.integers(0, 10**12),
    seed=st.none() | st.integers(0, 2**64),
    target=st.none() | _NAMES,
    title=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    holdout=st.floats(0.01, 0.99),
    formats=st.lists(st.sampled_from(["csv", "parquet", "arrow"]), unique=True),
    privacy=st.just(NO_PRIVACY)
    | st.builds(Budget, epsilon=st.floats(1e-6, 100), delta=st.floats(1e-12, 0.1)),
    null_marks=st.none() | st.lists(_NAMES, min_size=1, max_size=3).map(tuple),
    decimal=st.none() | st.sampled_from([".", ","]),
)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    rows: int | None,
    seed: int | None,
    target: str | None,
    title: str,
    holdout: float,
    formats: list[str],
    privacy: Budget,
    null_marks: tuple[str, ...] | None,
    decimal: str | None,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "x.csv").write_text(_ROWS)  # only its place is looked at
    table = TableRun(
        name=name,
        source=folder / "x.csv",
        csv=CsvOptions(null_marks=null_marks, decimal=decimal, delimiter=";"),
        engine=Independent(min_group=3),
        rows=rows,
        target=target,
        title=title,
    )
    config = RunConfig(tables=(table,), privacy=privacy, seed=seed, holdout=holdout, formats=tuple(formats))
    text = run_to_yaml(config, folder=folder)
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    assert read_run(folder / "run.yaml") == config
    assert "source: x.csv" in text or 'source: "x.csv"' in text  # relative, since it lies in the folder


def test_sources_elsewhere_are_written_in_full(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = run_from_dict(_minimal(), folder=folder)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    data = run_to_dict(config, folder=elsewhere, schema_file="schema.yaml")
    assert data["schema"] == "schema.yaml"
    assert data["tables"]["stays"]["source"] == str(folder / "stays.csv")  # type: ignore[index]


def test_the_json_schema_takes_what_is_read_and_refuses_what_is_not() -> None:
    document = run_config_json_schema()
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)
    for schema in ("schema.json", _schema_data(), None):
        for privacy in ("none", {"epsilon": 1, "delta": 1e-6}, {}, None):
            assert validator.is_valid(_minimal() | {"schema": schema, "privacy": privacy})
    wrong = _minimal()
    del wrong["privacy"]
    assert validator.is_valid(wrong)
    del wrong["tables"]
    assert not validator.is_valid(wrong)
    faulty_schema = copy.deepcopy(_schema_data())
    faulty_schema["tables"]["stays"]["columns"]["age"]["kind"] = "int"  # type: ignore[index]
    refused = ({"privacy": "no"}, {"seed": "x"}, {"holdout": 1}, {"odd": 1}, {"schema": faulty_schema})
    for change in (*refused, {"tables": {"a": {"source": "x", "engine": "gan"}}}):
        assert not validator.is_valid(_minimal() | change), change


def test_every_key_has_a_description() -> None:
    document = run_config_json_schema()
    for name in ("TableModel", "CsvModel", "OutputModel"):
        properties = document["$defs"][name]["properties"]  # type: ignore[index]
        assert all(found.get("description") for found in properties.values())
    assert all(found.get("description") for found in document["properties"].values())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"tables": ()}, "at least one table"),
        ({"holdout": 0.0}, "strictly between 0 and 1"),
        ({"seed": -1}, "the seed must be 0 or more"),
        ({"formats": ("xlsx",)}, "unknown formats xlsx"),
        ({"tables": (TableRun(name="stays", source=Path("x.csv"), rows=-1),)}, "rows of table 'stays'"),
        ({"ledger": Path("l"), "privacy": NO_PRIVACY}, "no place in a ledger"),
        ({"tables": (TableRun(name="other", source=Path("x.csv")),)}, "the schema has no table 'other'"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(wrong: dict[str, object], expected: str) -> None:
    good = RunConfig(tables=(TableRun(name="stays", source=Path("x.csv")),), schema=_SCHEMA)
    with pytest.raises(UsageError, match=expected):
        replace(good, **wrong)  # type: ignore[arg-type]


def test_privacy_from_flags() -> None:
    assert privacy_of(no_privacy=True, epsilon=None, delta=None) == NO_PRIVACY
    assert privacy_of(no_privacy=False, epsilon=None, delta=None) == DEFAULT_BUDGET
    assert privacy_of(no_privacy=False, epsilon=None, delta=1e-5) == Budget(epsilon=1.0, delta=1e-5)
    assert privacy_of(no_privacy=False, epsilon=1.0, delta=None) == Budget(epsilon=1.0)
    assert privacy_of(no_privacy=False, epsilon=1.0, delta=1e-5) == Budget(epsilon=1.0, delta=1e-5)
    with pytest.raises(UsageError, match="not both"):
        privacy_of(no_privacy=True, epsilon=1.0, delta=None)


def test_csv_options_go_before_the_schema() -> None:
    base = CsvDialect(delimiter=";", encoding="cp1252", null_marks=("NA",))
    assert CsvOptions().over(base) == base
    changed = CsvOptions(delimiter="\\t", null_marks=("",), decimal=",").over(base)
    assert changed == CsvDialect(delimiter="\t", encoding="cp1252", null_marks=("",), decimal=",")


def test_table_of_names_the_tables() -> None:
    two = Schema(tables=(_SCHEMA.tables[0], TableSchema(name="visits", columns=_COLUMNS)))
    assert table_of(_SCHEMA).name == "stays"
    assert table_of(two, "visits").name == "visits"
    with pytest.raises(UsageError, match=r"2 tables \(stays, visits\)"):
        table_of(two)
    with pytest.raises(UsageError, match="no table 'x'"):
        table_of(two, "x")


def test_folder_names_are_safe_and_different() -> None:
    names = ["a", "A", "../etc", "x/y", "..", "été", "a-2"]
    made = dict(folder_names(names))
    assert made == {
        "a": "a",
        "A": "A-2",
        "../etc": "_etc",
        "x/y": "x_y",
        "..": "table",
        "été": "été",
        "a-2": "a-2-2",
    }
    assert len({name.casefold() for name in made.values()}) == len(names)


def test_first_rows_draws_no_more_batches_than_it_needs() -> None:
    drawn = []

    def batches():
        for start in (0, 3, 6):
            drawn.append(start)
            yield pl.DataFrame({"x": range(start, start + 3)})

    assert first_rows(batches(), 4)["x"].to_list() == [0, 1, 2, 3]
    assert drawn == [0, 3]
    assert first_rows(iter([pl.DataFrame({"x": [1]})]), 5).height == 1
    assert first_rows(iter([pl.DataFrame({"x": [1]})]), 0).height == 0


def test_outputs_that_are_taken_are_refused(tmp_path: Path) -> None:
    file, ours, theirs = tmp_path / "f.csv", tmp_path / "ours", tmp_path / "theirs"
    file.write_text("x")
    for made in (ours, theirs):
        made.mkdir()
        require_free(made, inputs=(), overwrite=False)  # an empty folder is free
    (ours / "model.json").write_text("{}")
    (theirs / "thesis.doc").write_text("x")
    for taken in (file, ours, theirs):
        with pytest.raises(OutputExistsError, match="--overwrite"):
            require_free(taken, inputs=(), overwrite=False)
    require_free(file, inputs=(), overwrite=True)
    require_free(ours, inputs=(), overwrite=True, ours="model.json")
    with pytest.raises(UsageError, match="holds other things"):
        require_free(theirs, inputs=(), overwrite=True, ours="model.json")


def _interrupted(out: Path, *, overwrite: bool) -> None:
    with staged(out, ("a", "b"), inputs=(), overwrite=overwrite) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt


def test_staged_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "new" / "parts"
    with pytest.raises(KeyboardInterrupt):
        _interrupted(out, overwrite=False)
    assert not (tmp_path / "new").exists()
    with staged(out, ("a", "b"), inputs=(), overwrite=False) as folder:
        (folder / "a").write_text("1")
        (folder / "b").write_text("2")
    (out / "kept").write_text("mine")
    with pytest.raises(OutputExistsError), staged(out, ("b", "c"), inputs=(), overwrite=False):
        pass
    with pytest.raises(KeyboardInterrupt):
        _interrupted(out, overwrite=True)
    assert (out / "a").read_text() == "1"
    with staged(out, ("a",), inputs=(), overwrite=True) as folder:
        (folder / "a").write_text("3")
    assert {path.name: path.read_text() for path in out.iterdir()} == {"a": "3", "b": "2", "kept": "mine"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_output_replaces_what_is_read(tmp_path: Path, overwrite: bool) -> None:
    model, data = tmp_path / "model", tmp_path / "data.csv"
    model.mkdir()
    (model / "model.json").write_text("{}")
    (model / "rows.csv").write_text("x")
    data.write_text("x")
    soft, hard = tmp_path / "soft.csv", tmp_path / "hard.csv"
    soft.symlink_to(data)
    hard.hardlink_to(data)
    (tmp_path / "same").symlink_to(tmp_path)
    for one in (data, soft, hard, tmp_path / "same" / "data.csv", tmp_path / "model" / ".." / "data.csv"):
        with pytest.raises(UsageError, match="this command reads it"):
            require_free(one, inputs=(None, data), overwrite=overwrite)
        with pytest.raises(UsageError, match="this command reads it"):
            require_free(data, inputs=(one,), overwrite=overwrite)
    with pytest.raises(UsageError, match=r"rows\.csv, which lies in it"):
        require_free(model, inputs=(model / "rows.csv",), overwrite=overwrite, ours="model.json")
    for part in (model, model / "model.json", model / "manifest.json"):
        with pytest.raises(UsageError, match="this command reads it"):
            require_free(part, inputs=(model,), overwrite=overwrite)
    with (
        pytest.raises(UsageError, match="this command reads it"),
        staged(tmp_path, ("new.csv", "data.csv"), inputs=(data,), overwrite=overwrite),
    ):
        pass
    require_free(tmp_path / "absent.csv", inputs=(data, model), overwrite=overwrite)
    require_free(model / "rows.csv", inputs=(model, data), overwrite=True)  # it is no part of the model


def test_two_outputs_have_two_places(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a.csv")
    require_distinct(tmp_path / "a.csv", None, tmp_path / "b.csv", None)
    for other in ("a.csv", "link"):
        with pytest.raises(UsageError, match="two outputs"):
            require_distinct(tmp_path / "a.csv", tmp_path / other)


def _config(folder: Path, **changes: object) -> RunConfig:
    return run_from_dict(_minimal() | {"evaluation": False, "seed": 3} | changes, folder=folder)


def test_a_run_writes_everything_and_can_be_repeated(folder: Path) -> None:
    out = folder / "out"
    heard: list[str] = []
    made = run(
        _config(folder, output={"formats": ["csv", "parquet"]}),
        out,
        progress=lambda stage, _: heard.append(stage),
    )
    assert heard
    (table,) = made.tables
    assert (table.n_source, table.n_fitted, table.n_synthetic, table.results) == (120, 120, 120, None)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "private/run.yaml",
        "private/schema.yaml",
        "private/stays/model/arrays.safetensors",
        "private/stays/model/manifest.json",
        "private/stays/model/model.json",
        "private/stays/synthetic.csv",
        "private/stays/synthetic.csv.provenance.json",
        "private/stays/synthetic.parquet",
    ]
    assert set(table.files) == {
        Path("private/stays/synthetic.csv"),
        Path("private/stays/synthetic.parquet"),
        Path("private/stays/model"),
    }
    rows = pl.read_parquet(out / "private/stays" / "synthetic.parquet")
    assert (rows.columns, rows.height) == (["age", "ward"], 120)
    assert (
        FittedPipeline.load(out / "private/stays" / "model")
        .sample(120, seed=seed_for(3, "sampling"))
        .equals(rows)
    )
    again = run(read_run(out / "private/run.yaml"), folder / "again")
    assert again.run.seed == 3
    assert (folder / "again/private/stays/synthetic.csv").read_bytes() == (
        out / "private/stays/synthetic.csv"
    ).read_bytes()


def test_the_figures_of_a_run_say_which_rows_they_are_of(folder: Path) -> None:
    (table,) = run(run_from_dict(_minimal() | {"seed": 3}, folder=folder), folder / "out").tables
    rows = read_real(folder / "out/private/stays/synthetic.csv", table.pipeline.schema)
    assert table.results is not None
    assert table.results.released == rows.digest()
    many = {"stays": {"source": "stays.csv", "rows": 500}}
    (table,) = run(run_from_dict(_minimal() | {"tables": many}, folder=folder), folder / "many").tables
    assert table.results is not None
    assert table.results.released == ""


def test_a_run_audits_its_rows_where_there_are_enough(folder: Path) -> None:
    with pytest.raises(UsageError, match="an audit needs rows that are held out"):
        replace(_config(folder), audit=True)
    with pytest.raises(SchemaError, match="audit: an audit needs rows that are held out"):
        run_from_dict(_minimal() | {"evaluation": False, "audit": True}, folder=folder)
    config = run_from_dict(_minimal() | {"audit": True, "seed": 3}, folder=folder)
    assert run_from_dict(run_to_dict(config, folder=folder), folder=folder).audit
    (table,) = run(config, folder / "out").tables
    assert isinstance(table.audit, str)
    assert "cannot be audited" in table.audit
    assert not (folder / "out/private/stays/audit.json").exists()
    page = (folder / "out/private/stays/report.html").read_text()
    assert "The rows were not audited: these tables cannot be audited" in page
    (folder / "stays.csv").write_text(_ROWS + _ROWS.partition("\n")[2] * 4)
    private = replace(config, privacy=Budget(epsilon=1.0))
    (table,) = run(private, folder / "audited").tables
    assert isinstance(table.audit, AuditResults)
    assert AuditResults.read_json(folder / "audited/private/stays/audit.json") == table.audit
    assert table.results is not None
    assert table.results.released == table.audit.released
    made = read_real(folder / "audited/publishable/stays/synthetic.csv", table.pipeline.schema)
    assert table.results.released == made.digest()
    page = (folder / "audited/private/stays/report.html").read_text()
    assert 'id="audit-h"' in page
    assert "No audit is part of this report" not in page


def test_a_run_without_schema_drafts_one_and_says_that_it_is_private(folder: Path) -> None:
    made = run(_config(folder, schema=None), folder / "out")
    assert made.run.schema is not None
    text = (folder / "out" / "private/schema.yaml").read_text()
    assert text.startswith("# PRIVATE")
    assert read_schema(folder / "out" / "private/schema.yaml") == made.run.schema


def test_a_run_of_two_tables_fits_each(folder: Path) -> None:
    (folder / "visits.csv").write_text(_ROWS.replace(",", ";"))
    data = _schema_data()
    data["tables"]["visits"] = data["tables"]["stays"]  # type: ignore[index]
    tables = {
        "stays": {"source": "stays.csv", "rows": 7},
        "visits": {"source": "visits.csv", "csv": {"delimiter": ";"}},
    }
    heard: list[str] = []
    made = run(
        _config(folder, schema=data, tables=tables),
        folder / "out",
        progress=lambda stage, _: heard.append(stage),
    )
    assert [(table.name, table.n_synthetic) for table in made.tables] == [("stays", 7), ("visits", 120)]
    assert {stage.split(": ")[0] for stage in heard} == {"stays", "visits"}
    assert (folder / "out/private/visits/synthetic.csv").is_file()


def test_a_ledger_that_has_too_little_for_all_tables_stops_a_run_before_it_reads(folder: Path) -> None:
    create_ledger_file(folder / "ledger", source="stays", cap=Budget(epsilon=1.2))
    data = copy.deepcopy(_schema_data())
    data["tables"]["visits"] = copy.deepcopy(data["tables"]["stays"])  # type: ignore[index]
    tables = {name: {"source": "stays.csv"} for name in ("stays", "visits")}
    config = _config(folder, schema=data, tables=tables, privacy={"epsilon": 1}, ledger="ledger")
    (folder / "stays.csv").unlink()
    with pytest.raises(BudgetError, match="about ε = 0"):
        run(config, folder / "out")
    assert not read_ledger_file(folder / "ledger").charges
    assert not (folder / "out").exists()


def test_a_private_run_charges_its_ledger_and_gives_no_exact_number_of_rows(folder: Path) -> None:
    create_ledger_file(folder / "ledger", source="stays", cap=Budget(epsilon=2.0))
    config = _config(folder, privacy={"epsilon": 1}, ledger="ledger", evaluation=True)
    (table,) = run(config, folder / "out").tables
    assert table.guarantee == "Differentially private: ε = 1, δ = 1e-06, unit: row."
    model = FittedPipeline.load(folder / "out/publishable/stays/model")
    record = read_ledger_file(folder / "ledger")
    assert tuple(charge for _, charge in record.charges) == model.charges == table.pipeline.charges
    assert record.holds(model.ledger)
    assert (table.n_fitted, table.n_source) == (model.n_rows, 2 * model.n_rows)
    assert table.n_synthetic == 2 * model.n_rows
    assert table.results is not None
    assert table.results.private_output
    page = (folder / "out/private/stays/report.html").read_text()
    assert "Together they compose to ε = " in page
    assert "not covered by any guarantee" in page


def test_targets_of_all_tables_are_asked_for_before_anything_is_read(folder: Path) -> None:
    (folder / "other.csv").write_text('age,ward\n"unclosed,1\n')  # reading it would fail otherwise
    tables = {
        "stays": {"source": "stays.csv", "target": "wards"},
        "other": {"source": "other.csv", "target": "died"},
        "third": {"source": "other.csv", "target": "age"},
    }
    with pytest.raises(UsageError) as error:
        run(_config(folder, schema=None, tables=tables), folder / "out")
    assert "table 'stays' has no column 'wards' for a target (did you mean 'ward'?); table 'other'" in str(
        error.value
    )
    assert "'third'" not in str(error.value)
    config = _config(folder)
    wrong = replace(config, tables=(replace(config.tables[0], target="wards"),))
    with pytest.raises(UsageError, match="did you mean 'ward'"):
        run(wrong, folder / "out")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "parquet", "arrow"])
def test_columns_that_a_schema_leaves_out_are_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    frame = pl.DataFrame({"zz": [1, 2], "a": [1, 2], "b;c": [1, 2]})
    write_frame(frame, path)
    schema = TableSchema(name="t", columns=(Column(name="a", kind=Kind.INTEGER, dtype="int64"),))
    assert left_out(path, schema) == ("zz", "b;c")
    assert left_out(path, ts.draft_schema(frame, name="t").only_table) == ()


def test_a_file_without_a_header_that_can_be_read_leaves_nothing_out(tmp_path: Path) -> None:
    for name in ("t.parquet", "t.arrow"):
        (tmp_path / name).write_bytes(b"damaged")
        assert column_names(tmp_path / name) == ()
    assert column_names(tmp_path / "absent.csv") == ()


def test_a_failed_run_leaves_nothing(folder: Path) -> None:
    config = _config(folder)
    (folder / "stays.csv").write_text("age\n1\n")
    before = sorted(folder.iterdir())
    with pytest.raises(StructureError, match="cannot be read as a table"):
        run(config, folder / "out")
    assert sorted(folder.iterdir()) == before


def _surprising(folder: Path, seed: int) -> set[int]:
    """A source in which every row that `seed` holds out has cells unlike all of train; train's row numbers."""
    n = 200
    train, _ = split_rows(pl.DataFrame({"row": range(n)}), seed=seed_for(seed, "split"))
    kept = set(train["row"])
    lines = ["amount,ward,when,seen,flag,gone"]
    for i in range(n):
        ordinary = f"{i % 40 + 0.5},{'ab'[i % 3 == 0]},0{i % 9 + 1}.05.2020,2020-05-0{i % 9 + 1},{i % 2},"
        lines.append(ordinary if i in kept else "99999.25,canary,1.1.1900,1900-01-01,,7.5")
    (folder / "stays.csv").write_text("\n".join(lines) + "\n")
    return kept


def test_a_schema_is_drafted_from_train_alone(folder: Path) -> None:
    kept = _surprising(folder, seed=5)
    tables = {"stays": {"source": "stays.csv", "target": "ward"}}
    made = run(_config(folder, schema=None, tables=tables, evaluation=True, seed=5), folder / "out")
    assert made.run.schema is not None
    table = made.run.schema["stays"]
    assert table["amount"].bounds == (0.5, 39.5)
    assert table["ward"].categories == ("a", "b")
    assert not table["flag"].nullable
    assert table["gone"].categories == ()
    for path in ("private/schema.yaml", "private/stays/model/model.json", "private/stays/synthetic.csv"):
        text = (folder / "out" / path).read_text()
        assert "canary" not in text
        assert "99999" not in text
        assert "1900" not in text
    (outcome,) = made.tables
    assert (outcome.n_source, outcome.n_fitted) == (200, len(kept))
    assert outcome.results is not None
    assert any(
        note.startswith("Cells outside the declared domain occur in holdout: ward")
        for note in outcome.results.notes
    )
    assert {metric.status for metric in outcome.results.metrics} <= {Status.OK, Status.NOT_APPLICABLE}
    again = run(read_run(folder / "out" / "private/run.yaml"), folder / "again")
    assert again.tables[0].results is not None
    assert (folder / "again/private/stays/synthetic.csv").read_bytes() == (
        folder / "out/private/stays/synthetic.csv"
    ).read_bytes()
    assert again.tables[0].results.metrics == outcome.results.metrics
