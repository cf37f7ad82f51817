"""`tabsynth catalog` from bundles: exit codes, what is shown, and what is denied."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra `share`")

from tests.end_to_end.commands import Done, tabsynth_here
from tests.unit.release.bundle.made import KEY, TERMS, bundle, released


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bundles without privacy, of other rows, and their public key."""
    from cryptography.hazmat.primitives import serialization as form

    made = tmp_path_factory.mktemp("catalog")
    public = KEY.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    (made / "k.pub").write_bytes(public)
    bundle(made / "a.zip")
    bundle(
        made / "b.zip", replace(released(), seed=None), terms=replace(TERMS, title="Second", tags=("other",))
    )
    done = catalog(made, "add", "a.zip", "--key", "k.pub", "--no-cap", "--json")
    assert done.code == 0, done.err
    assert done.json["release"]["id"] == 1
    assert done.json["cumulative"]["epsilon"] is None
    assert catalog(made, "add", "b.zip", "--key", "k.pub").code == 0
    return made


def catalog(folder: Path, *args: str) -> Done:
    return tabsynth_here("catalog", *args, cwd=folder)


def test_list_and_search_show_who_has_what(folder: Path) -> None:
    shown = catalog(folder, "list")
    assert shown.code == 0
    assert "Example Ltd" in shown.out
    assert "2 releases" in shown.out
    assert [
        each["id"] for each in catalog(folder, "list", "--source", "hospital 7", "--json").json["releases"]
    ] == [1, 2]
    for options, found in (
        (("--column", "ward"), [1, 2]),
        (("--tag", "other"), [2]),
        (("--column", "ward", "--source", "x"), []),
    ):
        assert [
            each["id"] for each in catalog(folder, "search", *options, "--json").json["releases"]
        ] == found
    assert catalog(folder, "search").code == 2


@pytest.mark.parametrize(
    "args",
    [
        ("list",),
        ("search", "--tag", "x"),
        ("show", "1"),
        ("expire",),
        ("expire", "1"),
        ("cumulative", "hospital 7"),
        ("diff", "1", "2"),
    ],
)
def test_only_adding_starts_a_catalogue(tmp_path: Path, args: tuple[str, ...]) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "mine.db")) as database:
        database.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "mine.db").read_bytes()
    for where in ("nosuch.db", "sqlite:///nosuch.db", "mine.db"):
        done = catalog(tmp_path, *args, "--catalog", where)
        assert (done.code, done.out) == (2, "")
        assert "there is no catalogue at " in done.err
        assert [path.name for path in tmp_path.iterdir()] == ["mine.db"]
    assert (tmp_path / "mine.db").read_bytes() == before


def test_adding_says_that_it_starts_a_catalogue(folder: Path, tmp_path: Path) -> None:
    add = ("add", "a.zip", "--key", "k.pub", "--no-cap", "--catalog", str(tmp_path / "new.db"))
    first, again = catalog(folder, *add), catalog(folder, *add)
    assert first.code == 0, first.err
    assert f"started a new one at {tmp_path / 'new.db'}" in first.err
    assert again.code == 2
    assert "started" not in again.err


def test_show_and_cumulative(folder: Path) -> None:
    shown = catalog(folder, "show", "1")
    for text in (
        "Example Ltd (partners)",
        "Contract 12",
        "columns: stay id, age, ward",
        "ε = ∞",
        "No cap limits them",
    ):
        assert text in shown.out
    assert catalog(folder, "show", "9").code == 2
    found = catalog(folder, "cumulative", "hospital 7", "--json")
    assert (found.code, found.json["epsilon"], found.json["within"], found.json["releases"]) == (
        0,
        None,
        True,
        2,
    )


def test_diff_and_expire(folder: Path) -> None:
    assert catalog(folder, "diff", "1", "1", "--json").json["differences"] == []
    assert catalog(folder, "diff", "1", "2").code == 0
    due = catalog(folder, "expire", "--on", "2100-01-01")
    assert "expired on 2099-12-31" in due.out
    assert catalog(folder, "expire", "--on", "2098-01-01", "--json").json["releases"] == []
    assert "is to be reassessed on 2099-06-30" in catalog(folder, "expire", "--on", "2099-06-15").out
    assert "was to be reassessed" in catalog(folder, "expire", "--on", "2099-07-15").out
    ended = catalog(folder, "expire", "2", "--on", "2027-01-01")
    assert "ends on 2027-01-01: tell Example Ltd" in ended.out
    assert {"what": "expires", "table": "", "before": "2099-12-31", "after": "2027-01-01"} in catalog(
        folder, "diff", "1", "2", "--json"
    ).json["differences"]


def test_what_cannot_be_meant_is_said(folder: Path) -> None:
    for options, code in (
        (("a.zip", "--key", "k.pub"), 2),
        (("a.zip", "--key", "k.pub", "--catalog", "other.db"), 2),
        (("a.zip", "--key", "k.pub", "--cap-delta", "0.1", "--catalog", "other.db"), 2),
        (("a.zip", "--key", "k.pub", "--cap-epsilon", "1", "--catalog", "other.db"), 3),
        (("a.zip", "--key", "k.pub", "--catalog", "nothing://x"), 2),
    ):
        done = catalog(folder, "add", *options)
        assert done.code == code, options
        assert "Error: " in done.err
    assert catalog(folder, "list", "--catalog", "other.db", "--json").json["releases"] == []
