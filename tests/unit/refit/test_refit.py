"""The seam between an engine and whatever fits it: four kinds of black box, what each refuses, and what stays private."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest

import tabsynth
from tabsynth.errors import DataError, ModelFileError, StructureError, UsageError
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.refit import (
    CommandRefit,
    EngineRefit,
    FunctionRefit,
    NamedFunction,
    command_box,
    engine_box,
    function_box,
    function_of,
    model_box,
    pipeline_box,
)
from tests.unit.audit.tables import SCHEMA, drawn

TRAIN = drawn(60, 1)


def script(folder: Path, body: str) -> str:
    """The start of a command line that runs `body` with what follows as sys.argv[1:]."""
    path = folder / "tool with spaces.py"
    path.write_text(f"import os, shutil, sys, time\n{body}\n", encoding="utf-8")
    return f"'{sys.executable}' '{path}'"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made during a test."""
    made = tmp_path / "tmp"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


def test_an_engine_gives_the_stated_rows_and_the_same_for_a_seed():
    box = engine_box("gaussian_copula", privacy=NO_PRIVACY)
    refit = box.make(25)
    assert refit == EngineRefit(recipe=tabsynth.engines.GaussianCopula(), privacy=NO_PRIVACY, n_rows=25)
    made = refit(TRAIN, 3)
    assert (made.n_rows, made.schema) == (25, SCHEMA)
    assert made.frame.equals(refit(TRAIN, 3).frame)
    assert not made.frame.equals(refit(TRAIN, 4).frame)
    assert (box.title, box.stated) == ("gaussian_copula, without privacy", None)


def test_a_private_engine_draws_fresh_noise_and_states_its_budget():
    box = engine_box("independent", privacy=Budget(epsilon=1.0))
    assert box.stated == Budget(epsilon=1.0)
    assert "ε = 1, δ = 1e-06" in box.title
    # the same seed: rows of 40 noisy cells agree with a probability far below 1e-9
    assert not box.make(40)(TRAIN, 1).frame.equals(box.make(40)(TRAIN, 1).frame)


def test_boxes_that_differ_have_other_identities():
    boxes = [
        engine_box("independent"),
        engine_box("independent", privacy=NO_PRIVACY),
        engine_box("independent", privacy=Budget(epsilon=2.0)),
        engine_box("gaussian_copula", privacy=NO_PRIVACY),
        engine_box("gaussian_copula", settings={"min_group": "7"}, privacy=NO_PRIVACY),
        command_box("a {train} {synthetic}"),
        command_box("b {train} {synthetic}"),
        command_box("b {train} {synthetic}", file_format="parquet"),
        function_box(max),
    ]
    assert len({box.identity for box in boxes}) == len(boxes)


def test_an_engine_refuses_what_a_fit_refuses():
    with pytest.raises(UsageError, match="settings belong"):
        engine_box(tabsynth.engines.Independent(), settings={"min_group": 3})
    with pytest.raises(UsageError, match="no engine"):
        engine_box("nothing")
    with pytest.raises(UsageError, match="differential privacy"):
        engine_box(tabsynth.engines.GaussianCopula(marginals="parametric"), privacy=Budget(epsilon=1.0)).make(
            5
        )(TRAIN, 1)


def test_a_model_folder_gives_its_recipe_and_never_its_parameters(tmp_path: Path):
    fitted = tabsynth.fit(
        drawn(300, 9), engine="gaussian_copula", settings={"min_group": 30}, privacy=NO_PRIVACY
    )
    fitted.save(tmp_path / "model")
    refit = model_box(tmp_path / "model").make(40)
    assert refit == EngineRefit(
        recipe=tabsynth.engines.GaussianCopula(min_group=30), privacy=NO_PRIVACY, n_rows=40
    )
    constant = TRAIN.frame.with_columns(k=pl.lit(7, dtype=pl.Int64))
    made = refit(tabsynth.table.Table(SCHEMA, constant), 1)
    assert set(made.frame["k"]) == {7}  # what it learnt before would give others
    with pytest.raises(ModelFileError):
        model_box(tmp_path / "nothing")


def test_a_model_that_was_given_public_rows_is_not_fitted_again_without_them(tmp_path: Path):
    fitted = fit(drawn(100, 9), schema=SCHEMA, public=drawn(50, 8), privacy=Budget(epsilon=1.0))
    fitted.save(tmp_path / "model")
    for box in (lambda: model_box(tmp_path / "model"), lambda: pipeline_box(fitted)):
        with pytest.raises(
            UsageError, match="fitted with 50 public rows beside its table, which it does not hold"
        ):
            box()


def test_a_function_gets_rows_number_and_seed_and_may_give_any_table():
    heard = []

    def function(frame: pl.DataFrame, n_rows: int, seed: int):
        heard.append((frame.height, n_rows, seed))
        return frame.head(n_rows).to_pandas()

    box = function_box(function, stated=Budget(epsilon=3.0))
    made = box.make(12)(TRAIN, 5)
    assert heard == [(60, 12, 5)]
    assert made.frame.equals(TRAIN.frame.head(12))
    assert "function" in box.title
    assert box.stated == Budget(epsilon=3.0)
    assert FunctionRefit(function=function, n_rows=3)(TRAIN, 1).n_rows == 3


def test_a_function_without_rows_is_refused():
    with pytest.raises(StructureError, match="the function made a table without rows"):
        function_box(lambda frame, _n, _seed: frame.clear()).make(5)(TRAIN, 1)


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_command_reads_a_table_and_writes_one(tmp_path: Path, temporary: Path, file_format: str):
    tool = script(tmp_path, "assert sys.argv[3:] == ['7', '11']; shutil.copy(sys.argv[1], sys.argv[2])")
    box = command_box(f"{tool} {{train}} {{synthetic}} {{rows}} {{seed}}", file_format=file_format)
    assert box.make(7)(TRAIN, 11).frame.equals(TRAIN.frame)
    assert list(temporary.iterdir()) == []
    assert box.title == f"command {Path(sys.executable).name}"


def test_a_command_runs_without_a_shell_from_the_folder_it_was_given_in(tmp_path: Path, monkeypatch):
    (tmp_path / "copy.sh").write_text('#!/bin/sh\ncp "$1" "$2"\n')
    (tmp_path / "copy.sh").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    refit = command_box("./copy.sh {train} {synthetic} '$(touch here)' '{}' ';' touch there").make(5)
    monkeypatch.chdir(Path(__file__).parent)
    assert refit(TRAIN, 1).n_rows == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sh"]


def test_the_folder_of_a_command_is_closed_to_others(tmp_path: Path, temporary: Path):
    tool = script(
        tmp_path,
        f"mode = os.stat(os.path.dirname(sys.argv[1])).st_mode\n"
        f"open({str(tmp_path / 'mode')!r}, 'w').write(str(mode)); shutil.copy(sys.argv[1], sys.argv[2])",
    )
    command_box(f"{tool} {{train}} {{synthetic}}").make(5)(TRAIN, 1)
    assert stat.S_IMODE(int((tmp_path / "mode").read_text())) == 0o700
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("print(open(sys.argv[1]).read(), file=sys.stderr); sys.exit(3)", UsageError, "ended with code 3"),
        ("pass", StructureError, "wrote no synthetic table"),
        ("open(sys.argv[2], 'w').write('x,y,k,c\\n')", StructureError, "without rows"),
        ("open(sys.argv[2], 'w').write('x,k,c\\n1,2,a\\n')", StructureError, "column 'y'"),
        ("open(sys.argv[2], 'w').write('x,y,k,c\\n1,2,8675309quokka,a\\n')", DataError, "column 'k'"),
        ("open(sys.argv[2], 'wb').write(b'\\x00\\xff\\xfe')", StructureError, "does not follow the schema"),
    ],
)
def test_commands_that_go_wrong_say_so_and_quote_no_cell(
    tmp_path: Path, temporary: Path, capfd: pytest.CaptureFixture[str], body: str, kind, said: str
):
    canary = TRAIN.frame.with_columns(x=pl.lit(8675309.25))
    refit = command_box(f"{script(tmp_path, body)} {{train}} {{synthetic}}").make(5)
    with pytest.raises(kind) as caught:
        refit(tabsynth.table.Table(SCHEMA, canary), 1)
    assert said in str(caught.value)
    printed = capfd.readouterr()
    assert "8675309" not in str(caught.value) + printed.out + printed.err
    assert str(temporary) not in str(caught.value)
    assert list(temporary.iterdir()) == []


def test_a_command_that_takes_too_long_ends_with_all_it_started(tmp_path: Path, temporary: Path):
    pid = tmp_path / "pid"
    (tmp_path / "tool.sh").write_text(f"sleep 60 &\necho $! > '{pid}'\nsleep 60\n")
    refit = command_box(f"sh '{tmp_path / 'tool.sh'}' {{train}} {{synthetic}}", timeout=3).make(5)
    with pytest.raises(UsageError, match="longer than 3 s"):
        refit(TRAIN, 1)
    assert list(temporary.iterdir()) == []
    status = Path(f"/proc/{pid.read_text()}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_command_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"cannot be run: no-such-tool: No such file.*looked for from"):
        command_box("no-such-tool {train} {synthetic}").make(5)(TRAIN, 1)
    assert os.getcwd() == str(command_box("x {train} {synthetic}").make(5).folder)  # noqa: PTH109


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("tool {train}", {}, "{synthetic} is missing"),
        ("", {}, "{train} is missing"),
        (
            "tool {train} {synthetic} {sead}",
            {},
            "{sead} is none of {train}, {synthetic}, {rows}, {seed}, {epsilon}, {delta}",
        ),
        ("tool {train} {synthetic} {epsilon}", {}, "{epsilon} stands in it, but no budget is stated"),
        ("tool '{train} {synthetic}", {}, "cannot be split"),
        ("tool {train} {synthetic}", {"file_format": "xlsx"}, "csv or parquet"),
        ("tool {train} {synthetic}", {"timeout": 0}, "above 0 s"),
    ],
)
def test_commands_that_cannot_be_meant_are_refused(command: str, options: dict, said: str):
    with pytest.raises(UsageError, match="cannot be meant") as caught:
        command_box(command, **options)
    assert said in str(caught.value)


def test_a_command_is_plain_data():
    refit = command_box("tool --in={train} {synthetic}").make(5)
    assert refit == CommandRefit(words=("tool", "--in={train}", "{synthetic}"), n_rows=5, folder=Path.cwd())


BUDGET = Budget(epsilon=2.0, delta=1e-7)


def copy_of(arguments: str) -> str:
    """The words of a program that copies, and writes its further arguments beside the table it wrote."""
    return f"shutil.copy(*sys.argv[1:3]); assert sys.argv[3:] == {arguments}, sys.argv"


def test_a_stated_budget_is_told_to_a_command_and_decides_its_identity(tmp_path: Path):
    line = f"{script(tmp_path, copy_of(['2.0', '1e-07']))} {{train}} {{synthetic}} {{epsilon}} {{delta}}"
    box = command_box(line, stated=BUDGET)
    assert box.make(5)(TRAIN, 1).n_rows == 60
    assert box.make(5).takes_budget
    assert box.identity != command_box(line, stated=Budget(epsilon=1.0)).identity
    assert not command_box("a {train} {synthetic}", stated=BUDGET).make(5).takes_budget


def test_a_stated_budget_is_told_to_a_function_that_takes_it():
    heard = []

    def takes(frame, _n_rows, _seed, *, epsilon, delta):
        heard.append((epsilon, delta))
        return frame

    assert function_box(takes, stated=BUDGET).make(5)(TRAIN, 1).n_rows == 60
    assert heard == [(2.0, 1e-7)]
    with pytest.raises(UsageError, match="the function takes epsilon and delta: state its budget"):
        function_box(takes)
    assert function_box(lambda frame, _n, _seed: frame, stated=BUDGET).make(5)(TRAIN, 1).n_rows == 60


def test_rows_as_they_come_need_not_follow_the_schema(tmp_path: Path):
    odd = pl.DataFrame({"z": [1, 2]})
    assert function_box(lambda _frame, _n, _seed: odd.to_pandas()).make(5).rows(TRAIN, 1).equals(odd)
    tool = script(tmp_path, "open(sys.argv[2], 'w').write('z\\n1\\n2.0\\n')")
    made = command_box(f"{tool} {{train}} {{synthetic}}").make(5).rows(TRAIN, 1)
    assert made["z"].to_list() == ["1", "2.0"]
    copies = script(tmp_path, "shutil.copy(*sys.argv[1:3])")
    made = command_box(f"{copies} {{train}} {{synthetic}}", file_format="parquet").make(5).rows(TRAIN, 1)
    assert made.equals(TRAIN.frame)
    empty = script(tmp_path, "open(sys.argv[2], 'w')")
    with pytest.raises(StructureError, match="wrote cannot be read: NoDataError"):
        command_box(f"{empty} {{train}} {{synthetic}}").make(5).rows(TRAIN, 1)


@pytest.mark.parametrize("name", ["nothing", "no.such.module:f", "json:no_such", "no_file.py:f"])
def test_a_function_that_is_not_there(name: str):
    with pytest.raises(UsageError, match="function"):
        function_of(name)
    with pytest.raises(UsageError, match="function"):
        NamedFunction(name)


def test_a_function_by_its_name_is_plain_data(tmp_path: Path):
    path = tmp_path / "mine_of_refit.py"
    path.write_text("def make(frame, n_rows, seed):\n    return frame.head(n_rows)\n", encoding="utf-8")
    box = function_box(NamedFunction(f"{path}:make"))
    assert (box.name, box.title) == (f"{path}:make", f"function {path}:make")
    assert box.make(9)(TRAIN, 1).n_rows == 9
    assert box.make(9) == FunctionRefit(function=NamedFunction(f"{path}:make"), n_rows=9)
