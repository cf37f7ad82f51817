"""The catalogue: what it keeps, what releases cost together, and that neither a kill nor a race loses anything."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra `share`")

import tabsynth as ts
from tabsynth.catalog import Catalog, diff_releases, open_catalog
from tabsynth.catalog.addresses import shown
from tabsynth.catalog.budget import compose, distinct_charges
from tabsynth.catalog.diff import distance
from tabsynth.catalog.entry import TableEntry
from tabsynth.errors import BudgetError, BundleError, OutputExistsError, UsageError
from tabsynth.privacy import Budget, Charge
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.privacy.mechanisms import EXACT, DiscreteGaussian
from tabsynth.release.bundle import keys
from tabsynth.table import Table
from tests.unit.release.bundle.made import KEY, OTHER_KEY, TERMS, bundle, released
from tests.unit.release.bundle.server import postgres, socket_folder  # noqa: F401  # a fixture
from tests.unit.release.bundle.test_verify import forged, parts_of

PUBLIC = KEY.public_key()
CAP = Budget(epsilon=1.2, delta=1e-6)


def charge(scale: float, name: str = "one-way marginals") -> Charge:
    return Charge(statistic=name, columns=("a",), mechanism=DiscreteGaussian(scale=scale))


def entry(*charges: Charge, former=(), series="s", model="m", unit="row") -> TableEntry:
    return TableEntry(
        name="t",
        n_rows=1,
        digest="d",
        guarantee="g",
        epsilon=1.0,
        delta=1e-6,
        unit=unit,
        model=model,
        ledger=LedgerCopy(former=tuple(former), charges=charges, series=series, source="x"),
        report={},
    )


# --- composition ---


def test_charges_of_one_series_count_once():
    a, b, c = charge(10), charge(20), charge(30)
    first, second = entry(a, b), entry(c, former=(a, b))
    assert distinct_charges([first, second]) == [a, b, c]
    assert distinct_charges([second, first]) == [a, b, c]
    assert distinct_charges([first, first]) == [a, b]


def test_two_series_add_although_their_charges_are_alike():
    a = charge(10)
    assert distinct_charges([entry(a, series="s"), entry(a, series="other")]) == [a, a]


def test_a_series_that_was_set_back_counts_both_of_its_pasts():
    a, b, c = charge(10), charge(20), charge(30)
    assert distinct_charges([entry(b, former=(a,)), entry(c, former=(a,))]) == [a, b, c]


def test_the_same_charge_twice_in_a_series_counts_twice():
    a = charge(10)
    assert distinct_charges([entry(a, a)]) == [a, a]


def test_models_without_a_ledger_file_count_once_each():
    a = charge(10)
    tables = [
        entry(a, series=None, model="m"),
        entry(a, series=None, model="m"),
        entry(a, series=None, model="n"),
    ]
    assert distinct_charges(tables) == [a, a]


def test_the_sum_is_the_accountant_s():
    tables = [entry(charge(5), series=None, model=name) for name in "ab"]
    found = compose("x", tables, n_releases=2, cap=CAP)
    assert found.epsilon == epsilon_of([DiscreteGaussian(scale=5, count=2)], 1e-6)
    assert found.epsilon < 2 * epsilon_of([DiscreteGaussian(scale=5)], 1e-6)  # what adding up would say
    assert (found.n_charges, found.delta, found.unit) == (2, 1e-6, "row")


def test_exact_releases_cost_everything_and_units_are_the_least():
    found = compose(
        "x",
        [
            entry(Charge(statistic="all", columns=(), mechanism=EXACT)),
            entry(unit="person (column p, at most 2 rows)"),
        ],
        n_releases=2,
        cap=CAP,
    )
    assert found.epsilon == float("inf")
    assert not found.is_within
    assert found.unit == "row"
    assert compose("x", [], n_releases=0, cap=None).is_within


# --- the catalogue ---


@pytest.fixture(scope="module")
def private_bundles(tmp_path_factory) -> list[Path]:
    """Two releases of two models of one source, at ε = 1 each: together more than 1.2."""
    from tabsynth.pipeline import fit
    from tabsynth.schema.confirm import confirm
    from tests.unit.release.bundle.made import real, schema

    folder = tmp_path_factory.mktemp("bundles")
    small = real()[["ward", "died"]]
    wanted = replace(schema(), columns=(schema()["ward"], schema()["died"]), primary_key=(), constraints=())
    wanted = confirm(wanted, by="S", source="codebook", on=dt.date(2026, 1, 1))
    paths = []
    for name in ("a", "b"):
        made = fit(
            Table.conform(small, wanted), schema=wanted, engine="independent", privacy=ts.DEFAULT_BUDGET
        )
        rows = Table.conform(pl.concat(made.sample_batches(100, seed=1)), made.schema)
        table = replace(released(), pipeline=made, rows=rows, model=name * 64)
        decision = replace(table.decision, rows=rows.digest(), model=name * 64)
        terms = replace(TERMS, title=f"release {name}", tags=(name, "both"))
        bundle(folder / f"{name}.zip", replace(table, decision=decision), terms=terms)
        paths.append(folder / f"{name}.zip")
    return paths


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    return open_catalog(tmp_path / "c.db")


def test_a_release_is_kept_and_found(catalog, private_bundles):
    release, composed = catalog.add(private_bundles[0], key=PUBLIC, cap=CAP)
    assert release.id == 1
    assert catalog.release(1) == release
    assert (release.source, release.audience, release.signer) == (
        "hospital 7",
        "partners",
        keys.fingerprint(PUBLIC),
    )
    assert release.location == str(private_bundles[0])
    assert release.terms.title == "release a"
    assert 0 < composed.epsilon <= 1
    assert catalog.releases(column="ward") == catalog.releases(tag="a") == (release,)
    assert catalog.releases(source="hospital 7", tag="both") == (release,)
    for nothing in ({"column": "age"}, {"tag": "b"}, {"source": "other"}):
        assert catalog.releases(**nothing) == ()
    assert catalog.sources() == ("hospital 7",)


def test_a_release_that_would_break_the_cap_is_denied_and_not_recorded(catalog, private_bundles):
    catalog.add(private_bundles[0], key=PUBLIC, cap=CAP)
    with pytest.raises(BudgetError, match=r"above the cap of ε = 1\.2"):
        catalog.add(private_bundles[1], key=PUBLIC)
    assert len(catalog.releases()) == 1
    assert catalog.cumulative("hospital 7").n_releases == 1


def test_two_releases_within_the_cap_are_composed(catalog, private_bundles):
    catalog.add(private_bundles[0], key=PUBLIC, cap=Budget(epsilon=3.0))
    _, composed = catalog.add(private_bundles[1], key=PUBLIC)
    alone = [distinct_charges(release.tables) for release in catalog.releases()]
    together = epsilon_of([found.mechanism for charges in alone for found in charges], 1e-6)
    assert composed.epsilon == together == catalog.cumulative("hospital 7").epsilon
    assert 1 < together < 2


def test_the_first_release_of_a_source_needs_a_cap(catalog, private_bundles):
    with pytest.raises(UsageError, match="--cap-epsilon"):
        catalog.add(private_bundles[0], key=PUBLIC)
    with pytest.raises(UsageError, match="not both"):
        catalog.add(private_bundles[0], key=PUBLIC, cap=CAP, is_uncapped=True)
    assert catalog.releases() == ()
    catalog.add(private_bundles[0], key=PUBLIC, cap=CAP)
    for other in ({"cap": Budget(epsilon=9)}, {"is_uncapped": True}):
        with pytest.raises(UsageError, match="another cap"):
            catalog.add(private_bundles[1], key=PUBLIC, **other)


def test_a_release_without_privacy_fits_under_no_cap(catalog, tmp_path):
    bundle(tmp_path / "b.zip")
    with pytest.raises(BudgetError, match="ε = inf"):
        catalog.add(tmp_path / "b.zip", key=PUBLIC, cap=CAP)
    _, composed = catalog.add(tmp_path / "b.zip", key=PUBLIC, is_uncapped=True)
    assert composed.epsilon == float("inf")


def test_rows_are_not_released_under_a_cap_for_persons(catalog, private_bundles, tmp_path):
    """One ε for a row says less of a person, who may have many; the other way round it says more."""
    persons = tmp_path / "persons.zip"
    persons.write_bytes(private_bundles[0].read_bytes())
    stated = parts_of(persons)[1]["privacy.json"].replace(
        b'"unit": "row"', b'"unit": "person (column patient, at most 20 rows)"'
    )
    forged(persons, lambda _: None, parts={"privacy.json": stated})
    release, composed = catalog.add(persons, key=PUBLIC, cap=Budget(epsilon=9.0))
    assert composed.unit == release.tables[0].unit == "person (column patient, at most 20 rows)"
    with pytest.raises(BudgetError, match="is for persons, and the release protects rows"):
        catalog.add(private_bundles[1], key=PUBLIC)
    assert len(catalog.releases()) == 1
    other = open_catalog(tmp_path / "other.db")
    other.add(private_bundles[1], key=PUBLIC, cap=Budget(epsilon=9.0))
    assert other.add(persons, key=PUBLIC)[1].unit == "row"


def test_the_same_bundle_and_a_spoilt_one_are_refused(catalog, private_bundles, tmp_path):
    catalog.add(private_bundles[0], key=PUBLIC, cap=CAP)
    with pytest.raises(OutputExistsError, match="as release 1"):
        catalog.add(private_bundles[0], key=PUBLIC)
    with pytest.raises(BundleError, match="another key"):
        catalog.add(private_bundles[1], key=OTHER_KEY.public_key())
    spoilt = bytearray(private_bundles[1].read_bytes())
    spoilt[-2000] ^= 1
    (tmp_path / "s.zip").write_bytes(spoilt)
    with pytest.raises(BundleError):
        catalog.add(tmp_path / "s.zip", key=PUBLIC)
    assert len(catalog.releases()) == 1


def test_a_release_ends_early_and_stays_counted(catalog, private_bundles):
    catalog.add(private_bundles[0], key=PUBLIC, cap=CAP)
    before = catalog.cumulative("hospital 7")
    assert catalog.end(1, on=dt.date(2027, 1, 1)).expires == dt.date(2027, 1, 1)
    assert catalog.cumulative("hospital 7") == before
    with pytest.raises(UsageError, match="no catalogue can put off"):
        catalog.end(1, on=dt.date(2028, 1, 1))
    with pytest.raises(UsageError, match="has no release 9"):
        catalog.end(9, on=dt.date(2027, 1, 1))
    with pytest.raises(UsageError, match="knows no release"):
        catalog.cumulative("absent")


def test_bundles_on_any_file_system(catalog, private_bundles, tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="needs the extra `share`")
    with fsspec.open("memory://bundles/a.zip", "wb") as file:
        file.write(private_bundles[0].read_bytes())
    release, _ = catalog.add("memory://bundles/a.zip", key=PUBLIC, cap=CAP)
    assert release.location == "memory://bundles/a.zip"
    other = open_catalog(tmp_path / "other.db")
    for i, address in enumerate((f"file://{private_bundles[0]}", f"local://{private_bundles[1]}"), start=1):
        release, _ = other.add(address, key=PUBLIC, **({"cap": Budget(epsilon=9.0)} if i == 1 else {}))
        assert (release.id, release.location) == (i, address)
    with pytest.raises(OutputExistsError, match="as release 1"):  # wherever it lies
        other.add(private_bundles[0], key=PUBLIC)
    for address in ("memory://bundles/absent.zip", "nothing://a/b"):
        with pytest.raises(UsageError, match="cannot be read"):
            catalog.add(address, key=PUBLIC)


def test_an_address_that_gives_bytes_without_end_is_left(catalog, private_bundles, monkeypatch):
    fsspec = pytest.importorskip("fsspec", reason="needs the extra `share`")
    content = private_bundles[0].read_bytes()
    with fsspec.open("memory://bundles/a.zip", "wb") as file:
        file.write(content)
    monkeypatch.setattr("tabsynth.catalog.addresses.MOST_BYTES", len(content) - 1)
    with pytest.raises(BundleError, match="larger than the 4 GiB"):
        catalog.add("memory://bundles/a.zip", key=PUBLIC, cap=CAP)
    monkeypatch.setattr("tabsynth.catalog.addresses.MOST_BYTES", len(content))
    catalog.add("memory://bundles/a.zip", key=PUBLIC, cap=CAP)


def test_errors_of_drivers_are_told_without_credentials(catalog, private_bundles):
    """Drivers raise exceptions of their own; addresses carry names, passwords and signatures."""
    fsspec = pytest.importorskip("fsspec", reason="needs the extra `share`")
    from fsspec.implementations.memory import MemoryFileSystem

    class Keyed(MemoryFileSystem):
        """As drivers that take the credentials off the address."""

        protocol = "keyed"

        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.rpartition("@")[2].partition("?")[0].removeprefix("keyed://").lstrip("/")

    fsspec.register_implementation("keyed", Keyed, clobber=True)
    with fsspec.open("memory://host/a.zip", "wb") as file:
        file.write(private_bundles[0].read_bytes())
    release, _ = catalog.add("keyed://anna:s3cret@host/a.zip?sig=s3cret", key=PUBLIC, cap=CAP)
    assert release.location == catalog.release(1).location == "keyed://host/a.zip"
    for address in ("http://anna:s3cret@127.0.0.1:9/a.zip?sig=s3cret", "http://anna:s3cret@[::1/a"):
        with pytest.raises(UsageError, match="cannot be read") as fault:
            catalog.add(address, key=PUBLIC)
        assert "s3cret" not in str(fault.value)
        assert "anna" not in str(fault.value)


def test_an_address_is_shown_without_what_opens_it():
    assert shown("s3://bucket/a@b/c.zip") == "s3://bucket/a@b/c.zip"
    assert shown("https://u:p@host/a.zip?X-Amz-Signature=1#x") == "https://host/a.zip"
    assert shown("simplecache::https://u:p@host/a.zip") == "simplecache::https://host/a.zip"
    assert shown("/a/what?.zip") == "/a/what?.zip"


def test_errors_that_drivers_define_are_told_too(catalog, monkeypatch):
    """One that is a plain Exception, as botocore's and aiohttp's are."""
    import types

    fsspec = pytest.importorskip("fsspec", reason="needs the extra `share`")
    from fsspec.implementations.memory import MemoryFileSystem

    class DriverError(Exception):
        pass

    class Broken(MemoryFileSystem):
        protocol = "broken"

        def _open(self, *_, **__):
            raise DriverError("s3cret")

    fsspec.register_implementation("broken", Broken, clobber=True)
    with pytest.raises(DriverError):
        catalog.add("broken://a/b", key=PUBLIC)
    monkeypatch.setitem(sys.modules, "botocore.exceptions", types.SimpleNamespace(ClientError=DriverError))
    with pytest.raises(UsageError, match=r"cannot be read \(DriverError\)"):
        catalog.add("broken://a/b", key=PUBLIC)


def test_without_fsspec_it_says_what_to_install(catalog, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match="needs fsspec"):
        catalog.add("memory://bundles/a.zip", key=PUBLIC, cap=CAP)


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("privacy.json", b"{}", "lists no tables"),
        ("privacy.json", b'{"tables": [{"table": "stays"}]}', "statements are damaged"),
        ("provenance.json", b'{"tables": [{"table": "other"}]}', "statements are damaged"),
        ("ledger/stays.json", b"{}", "statements are damaged"),
        ("verdict.json", b'{"sign_off": 7}', "statements are damaged"),
        ("terms.json", b"{}", "the terms are damaged"),
    ],
)
def test_statements_that_are_none_are_refused(catalog, private_bundles, tmp_path, part, content, said):
    """Signed by the key, and yet not what a bundle states."""
    bad = tmp_path / "bad.zip"
    bad.write_bytes(private_bundles[0].read_bytes())
    forged(bad, lambda _: None, parts={part: content})
    with pytest.raises(BundleError, match=said):
        catalog.add(bad, key=PUBLIC, cap=CAP)
    assert catalog.releases() == ()


def test_what_is_no_catalogue_is_refused(tmp_path):
    for where in ("sqlite:////absent/folder/c.db", "nothing://x", "postgresql+absent://x/y", str(tmp_path)):
        with pytest.raises(UsageError, match="catalogue"):
            open_catalog(where)
    (tmp_path / "text").write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(UsageError, match="cannot be opened"):
        open_catalog(tmp_path / "text")
    import sqlalchemy as sa

    opened = open_catalog(tmp_path / "c.db")
    with opened.engine.begin() as connection:
        connection.execute(sa.text("UPDATE tabsynth_catalog SET version = 9"))
    with pytest.raises(UsageError, match="is of version 9"):
        open_catalog(tmp_path / "c.db")


def test_without_sqlalchemy_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tabsynth.catalog.tables", None)
    with pytest.raises(UsageError, match=r"tabsynth\[share\]"):
        open_catalog(tmp_path / "c.db")


# --- two releases compared ---


def test_a_difference_is_named(catalog, private_bundles):
    for path in private_bundles:
        catalog.add(path, key=PUBLIC, **({"cap": Budget(epsilon=3.0)} if path is private_bundles[0] else {}))
    first, second = catalog.releases()
    assert diff_releases(first, first) == ()
    ward = first.table_schema("stays")
    changed = first.schema.replace("      ward:\n", "      unit:\n")
    found = {
        (each.what, each.before, each.after) for each in diff_releases(first, replace(second, schema=changed))
    }
    assert ("column ward", "there", "gone") in found
    assert ("column unit", "absent", "new") in found
    assert "ward" in ward.column_names
    table = replace(second.tables[0], n_rows=7, guarantee="none")
    found = {each.what for each in diff_releases(first, replace(second, tables=(table,)))}
    assert {"rows", "guarantee"} <= found
    gone = {each.what for each in diff_releases(first, replace(second, tables=()))}
    assert "table" in gone
    assert "table" in {each.what for each in diff_releases(replace(first, tables=()), second)}


def test_distances_between_columns_by_hand():
    def column(shares, labels=(), edges=()):
        return {"edges": list(edges), "labels": list(labels), "shares": list(shares)}

    assert distance(column([0.5, 0.5], "ab"), column([0.5, 0.5], "ba")) == 0
    assert distance(column([1.0], "a"), column([1.0], "b")) == 1
    assert distance(column([0.75, 0.25], "ab"), column([0.25, 0.75], "ab")) == 0.5
    left = column([1.0, 0.0], edges=(0, 1, 2))
    right = column([0.0, 1.0], edges=(0, 1, 2))
    assert distance(left, right) == 1
    assert distance(left, column([1.0], edges=(0, 1))) == 0
    assert distance(left, column([0.5, 0.5], edges=(0, 1, 2))) == 0.5
    half_missing = column([0.5, 0.0, 0.5], labels=("missing",), edges=(0, 1, 2))
    assert distance(left, half_missing) == 0.5


# --- races and kills ---

_ADD = """
import sys
from pathlib import Path
from tabsynth.catalog import open_catalog
from tabsynth.errors import BudgetError
from tabsynth.privacy import Budget
from tests.unit.release.bundle.made import KEY
print("ready", flush=True)
for path in sys.argv[3:]:
    try:
        cap = Budget(epsilon=float(sys.argv[2]))
        open_catalog(sys.argv[1]).add(path, key=KEY.public_key(), cap=cap)
        print("added", flush=True)
    except BudgetError:
        print("denied", flush=True)
"""


def adding(where: Path | str, cap: float, *paths: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _ADD, str(where), str(cap), *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
            ),
        },
    )


def test_of_two_processes_at_once_one_is_denied_where_the_cap_holds_one(tmp_path, private_bundles):
    both = [adding(tmp_path / "c.db", 1.2, path) for path in private_bundles]
    said = sorted(process.communicate(timeout=120)[0].split()[-1] for process in both)
    assert said == ["added", "denied"]
    assert len(open_catalog(tmp_path / "c.db").releases()) == 1


def as_killed(catalog: Catalog, folder: Path) -> list[Path]:
    """From now on a copy of the catalogue's files at every statement and around every commit: what a kill there leaves.

    A process that is killed leaves its files as the system holds them, and no locks; so does a copy of them.
    """
    import sqlalchemy as sa

    source, made = Path(catalog.engine.url.database), []

    def copy(*_args) -> None:
        made.append(folder / f"{len(made)}.db")
        for path in source.parent.glob(f"{source.name}*"):  # the journal too
            shutil.copy(path, folder / f"{made[-1].name}{path.name.removeprefix(source.name)}")

    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(catalog.engine, event, copy)
    # the fewest pages in memory, so that rows of a transaction are in the file before it ends
    sa.event.listen(
        catalog.engine, "connect", lambda connection, _: connection.execute("PRAGMA cache_size = 1")
    )
    return made


def test_a_kill_at_any_statement_leaves_all_of_a_release_or_nothing(tmp_path, private_bundles):
    where, copies = tmp_path / "c.db", tmp_path / "copies"
    copies.mkdir()
    catalog = open_catalog(where)
    first, _ = catalog.add(private_bundles[0], key=PUBLIC, cap=Budget(epsilon=9.0))
    made = as_killed(catalog, copies)
    second, composed = catalog.add(private_bundles[1], key=PUBLIC)
    made += [copies / "end.db"]
    shutil.copy(where, made[-1])
    assert len(made) > 12
    assert any(path.with_name(f"{path.name}-journal").exists() for path in made)  # half of a transaction
    kept = []
    for path in made:
        left = open_catalog(path)
        found = left.releases()
        assert found in ((first,), (first, second))
        kept.append(len(found))
        if len(found) == 1:
            again, total = left.add(private_bundles[1], key=PUBLIC)
            assert (again, total) == (second, composed)
        assert left.cumulative("hospital 7") == composed
    assert kept == sorted(kept)
    assert kept[-1] == 2


def test_a_catalogue_that_was_killed_while_it_was_made_is_made_anew(tmp_path, private_bundles):
    """Cut at each table: `open_catalog` completes what is missing."""
    import sqlalchemy as sa

    whole = open_catalog(tmp_path / "whole.db")
    with whole.engine.begin() as connection:
        statements = list(
            connection.scalars(sa.text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"))
        )
    assert len(statements) >= 4
    for n in range(len(statements) + 1):
        where = tmp_path / f"{n}.db"
        with contextlib.closing(sqlite3.connect(where)) as database:
            for statement in statements[:n]:
                database.execute(statement)
            database.commit()
        open_catalog(where).add(private_bundles[0], key=PUBLIC, cap=CAP)
        assert len(open_catalog(where).releases()) == 1


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path, private_bundles):
    """Killed by SIGKILL at random moments of adding, the catalogue holds what was said to be added, and takes the rest."""
    draw = random.Random(0)
    for i in range(3):
        where = tmp_path / f"{i}.db"
        process = adding(where, 9.0, *private_bundles)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.0, 0.5))
        process.send_signal(signal.SIGKILL)
        n_said = process.communicate(timeout=60)[0].count("added")
        catalog = open_catalog(where)
        kept = catalog.releases()
        assert n_said <= len(kept) <= 2
        for path in private_bundles[len(kept) :]:
            catalog.add(path, key=PUBLIC, cap=Budget(epsilon=9.0))
        assert [release.id for release in catalog.releases()] == [1, 2]
        assert catalog.cumulative("hospital 7").n_releases == 2


def test_a_team_s_postgresql_keeps_the_same(postgres, private_bundles):  # noqa: F811
    """Two processes at once there too: one finds no room, or is told to try again."""
    pytest.importorskip("psycopg", reason="needs psycopg, the driver")
    assert postgres("-c", "CREATE DATABASE releases").returncode == 0
    user = "postgres" if os.geteuid() == 0 else os.environ.get("USER", "")
    url = f"postgresql+psycopg://{user}@/releases?host={socket_folder()}"
    open_catalog(url)
    both = [adding(url, 1.2, path) for path in private_bundles]
    said = [process.communicate(timeout=120)[0].split() for process in both]
    assert min(word for words in said for word in words) == "added"
    catalog = open_catalog(url)
    (release,) = catalog.releases()
    assert release.table_schema("stays").column_names == ("ward", "died")
    other = private_bundles[1 - [str(path) for path in private_bundles].index(release.location)]
    with pytest.raises(BudgetError):
        catalog.add(other, key=PUBLIC)
    assert catalog.end(release.id, on=dt.date(2027, 1, 1)).expires == dt.date(2027, 1, 1)


def test_a_transaction_that_fails_half_way_leaves_nothing(catalog, private_bundles):
    """The tables of a release are written after the release: what fails there takes the release with it."""
    release, _ = catalog.add(private_bundles[0], key=PUBLIC, cap=Budget(epsilon=9.0))
    assert release.id == 1
    import sqlalchemy as sa

    with catalog.engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TRIGGER full BEFORE INSERT ON released_tables BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        )
    with pytest.raises(UsageError, match="nothing was recorded"):
        catalog.add(private_bundles[1], key=PUBLIC)
    assert [each.id for each in catalog.releases()] == [1]
    with catalog.engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER full"))
    catalog.add(private_bundles[1], key=PUBLIC)
