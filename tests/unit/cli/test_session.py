"""Every way in which a command can end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from tabsynth.cli.session import Session
from tabsynth.errors import (
    ConditionError,
    DataError,
    Fault,
    ModelFileError,
    OutputExistsError,
    PrivacyError,
    SchemaError,
    StructureError,
    UsageError,
)

_CELL = "a cell of the table"
_FAULTS = [Fault("column 'a'", "missing", "add it"), Fault("column 'b'", "missing")]


def _ended(error: BaseException, **options: bool) -> int:
    with pytest.raises(typer.Exit) as caught, Session(command="fit", **options):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    "error",
    [
        UsageError("so"),
        SchemaError("so"),
        StructureError("so"),
        DataError("so"),
        OutputExistsError("so"),
        ModelFileError("so"),
        ConditionError("so"),
        PrivacyError("so"),
    ],
)
def test_errors_of_this_package_end_with_2(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(error) == 2
    assert capsys.readouterr() == ("", "Error: so\n")


def test_all_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(StructureError("two faults", _FAULTS), json_output=True) == 2
    out, err = capsys.readouterr()
    assert err == "Error: two faults\n  - column 'a': missing (add it)\n  - column 'b': missing\n"
    assert json.loads(out) == {
        "command": "fit",
        "ok": False,
        "exit_code": 2,
        "error": {
            "type": "StructureError",
            "message": "two faults",
            "faults": [
                {"where": "column 'a'", "what": "missing", "hint": "add it"},
                {"where": "column 'b'", "what": "missing", "hint": ""},
            ],
        },
    }


@pytest.mark.parametrize("debug", [False, True])
def test_other_errors_end_with_1_and_keep_their_text_to_themselves(
    debug: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        cell = _CELL
        try:
            int(cell)
        except ValueError as error:
            raise RuntimeError(cell) from error

    with pytest.raises(typer.Exit) as caught, Session(command="fit", json_output=True, debug=debug):
        fail()
    assert caught.value.exit_code == 1
    out, err = capsys.readouterr()
    assert _CELL not in out + err
    assert "unexpected RuntimeError in test_session.py, line " in err
    assert "Run again with --debug" in err
    assert (", in fail" in err) == debug  # the frames, without locals and without the errors' text
    assert ("caused by:" in err) == debug
    assert json.loads(out)["error"]["type"] == "RuntimeError"


def test_what_the_machine_lacks_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(OSError(28, "No space left on device", "/disk/rows.csv")) == 1
    assert capsys.readouterr().err == "Error: No space left on device: /disk/rows.csv\n"
    assert _ended(OSError(5, "Input/output error")) == 1
    assert capsys.readouterr().err == "Error: Input/output error\n"
    assert _ended(MemoryError()) == 1
    assert "out of memory" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ended(KeyboardInterrupt(), json_output=True) == 130
    out, err = capsys.readouterr()
    assert err == "Error: Interrupted: nothing was written.\n"
    assert json.loads(out)["exit_code"] == 130


@pytest.mark.parametrize("end", [typer.Exit(3), SystemExit(143)])
def test_ends_that_are_meant_pass(end: BaseException) -> None:
    with pytest.raises(type(end)) as caught, Session(command="fit"):
        raise end
    assert caught.value is end


def test_the_last_lines_name_files_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    with Session(command="split") as session:
        session.finish(
            "Split 4 rows",
            data={},
            files={Path("parts/train.parquet"): "2 rows", Path("my parts/b"): "2 more"},
            next_steps=[["tabsynth", "fit", Path("my parts/b")]],
        )
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Split 4 rows (")
    assert rest == [
        "  parts/train.parquet  2 rows",
        "  my parts/b           2 more",
        "Next:",
        "  tabsynth fit 'my parts/b'",
    ]


def test_json_and_quiet_keep_words_away(capsys: pytest.CaptureFixture[str]) -> None:
    with Session(command="split", json_output=True) as session:
        session.show("words")
        session.finish("done", data={"rows": 4}, files={Path("a"): "x"}, next_steps=[["b", "c"]])
    out = json.loads(capsys.readouterr().out)
    assert out.pop("seconds") >= 0
    assert out == {"command": "split", "ok": True, "rows": 4, "files": ["a"], "next": ["b c"]}
    with Session(command="split", quiet=True) as session:
        session.show("words")
        session.note("a note")
        session.finish("done", data={})
    assert capsys.readouterr() == ("", "")
    with Session(command="split") as session:
        session.note("a note")
    assert capsys.readouterr() == ("", "a note\n")


@pytest.mark.parametrize(
    ("has_ledger", "said"),
    [
        (False, "Error: Interrupted: nothing was written.\n"),
        (True, "Error: Interrupted: nothing was written. What the ledger was charged stays charged.\n"),
    ],
)
def test_an_interrupt_says_that_charges_stay(
    has_ledger: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(KeyboardInterrupt(), has_ledger=has_ledger) == 130
    assert capsys.readouterr() == ("", said)
