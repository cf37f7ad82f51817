"""A bundle unpacked: DuckDB and PostgreSQL hold the rows with their types, keys and comments, and queries run."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tabsynth.errors import BundleError, OutputExistsError, UsageError
from tabsynth.release.bundle import sql
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.unpack import _fill, unpack_bundle
from tabsynth.schema.types import ForeignKey
from tests.unit.release.bundle.made import KEY, bundle, released, rows
from tests.unit.release.bundle.server import postgres  # noqa: F401  # a fixture

duckdb = pytest.importorskip("duckdb", reason="needs the extra `share`")
PUBLIC = KEY.public_key()


def visits():
    """A second table whose `stay` names stays, all but one or none of which are there."""
    from tests.unit.release.bundle.made import pipeline

    table = released(seed=None)
    made = replace(pipeline(), schema=replace(table.pipeline.schema, name='visits; "x" --\''))
    return replace(table, pipeline=made, rows=replace(table.rows, schema=made.schema))


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opened")
    child = visits()
    name = child.rows.schema.name
    keys = (
        ForeignKey(child=name, child_columns=("stay id",), parent="stays", parent_columns=("stay id",)),
        ForeignKey(child=name, child_columns=("ward",), parent="stays", parent_columns=("stay id",)),
    )
    bundle(folder / "b.zip", child, released(), foreign_keys=keys)
    return folder / "out", unpack_bundle(folder / "b.zip", folder / "out", key=PUBLIC), keys


@pytest.fixture(scope="module")
def database(opened):
    folder, found, _ = opened
    with duckdb.connect(str(folder / found.database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def test_duckdb_holds_the_rows_in_their_types(database):
    types = dict(
        database.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'stays'"
        ).fetchall()
    )
    assert types == {
        "stay id": "VARCHAR",
        "age": "BIGINT",
        "ward": "VARCHAR",
        "charge": "DOUBLE",
        "pay": "VARCHAR",
        "came": "DATE",
        "seen": "TIMESTAMP",
        "zoned": "TIMESTAMP WITH TIME ZONE",
        "waited": "INTERVAL",
        "died": "BOOLEAN",
        "pressure": "DOUBLE",
        "code": "UTINYINT",
    }
    frame = rows().frame
    plain = [name for name in frame.columns if name not in ("waited", "zoned")]
    found = database.execute(f"SELECT {', '.join(map(sql.name, plain))} FROM stays").fetchall()
    assert found == frame.select(plain).rows()
    assert [row[0] for row in database.execute("SELECT waited FROM stays").fetchall()] == frame[
        "waited"
    ].to_list()
    moments = database.execute("SELECT epoch_us(zoned) FROM stays").fetchall()
    assert [row[0] for row in moments] == frame["zoned"].dt.timestamp("us").to_list()


def test_duckdb_knows_keys_nulls_and_comments(database, opened):
    held = database.execute(
        "SELECT table_name, constraint_type, constraint_column_names FROM duckdb_constraints() "
        "WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')"
    ).fetchall()
    child = opened[2][0].child
    assert ("stays", "PRIMARY KEY", ["stay id"]) in held
    assert (child, "FOREIGN KEY", ["stay id"]) in held
    assert opened[1].dropped == (opened[2][1],)
    nullable = database.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'stays' AND is_nullable"
    ).fetchall()
    assert nullable == [("pressure",)]
    (comment,) = database.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'stays'").fetchone()
    assert "Not anonymous by construction" in comment
    (said,) = database.execute(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'stays' AND column_name = 'ward'"
    ).fetchone()
    assert said == 'categorical: “eye, "ear"”, it\'s, surgery; never missing'
    (said,) = database.execute(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'stays' AND column_name = 'charge'"
    ).fetchone()
    assert said == "What was billed. number in EUR | \u20ac: never missing"


def test_the_example_queries_run(database, opened):
    found = opened[1].queries
    assert len(found) == 6
    counted = [database.execute(query).fetchall() for _, query in found]
    assert counted[0] == [(200,)]
    frame = rows().frame
    wanted = frame.group_by("ward").len().sort("len", "ward", descending=[True, False]).rows()
    assert counted[4] == wanted
    assert {row[0]: row[1] for row in counted[5]} == dict(wanted)


def test_every_part_is_a_file(opened):
    folder, found, _ = opened
    for part in found.manifest.parts:
        assert (folder / part.path).stat().st_size == part.n_bytes
    assert (folder / "postgres.sql").is_file()
    assert (folder / "queries.sql").is_file()


def test_a_folder_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    bundle(tmp_path / "b")
    with pytest.raises(OutputExistsError):
        unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    unpack_bundle(tmp_path / "b", tmp_path / "new", key=PUBLIC, database=False)
    assert not list((tmp_path / "new").glob("*.duckdb"))


def test_a_database_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "x.duckdb").write_text("planted")
    with pytest.raises(BundleError, match=r"x\.duckdb is there already"):
        _fill(tmp_path / "x.duckdb", None, (), ())
    assert (tmp_path / "x.duckdb").read_text() == "planted"


def renamed(name: str):
    """The table of `released` under another name."""
    table = released(seed=None)
    made = replace(table.pipeline, schema=replace(table.pipeline.schema, name=name))
    rows_ = replace(table.rows, schema=replace(table.rows.schema, name=name))
    return replace(table, pipeline=made, rows=rows_, decision=replace(table.decision, rows=rows_.digest()))


def test_a_table_called_as_the_rows_that_come_in_holds_its_rows(tmp_path):
    bundle(tmp_path / "b", renamed("incoming"))
    found = unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC)
    with duckdb.connect(str(tmp_path / "out" / found.database), read_only=True) as connection:
        assert connection.execute('SELECT count(*) FROM "incoming"').fetchone() == (200,)


def test_names_that_duckdb_takes_for_one_are_an_error_that_says_so(tmp_path):
    bundle(tmp_path / "b", renamed("stays"), renamed("Stays"))
    with pytest.raises(BundleError, match=r"no DuckDB database can be made .* --no-database"):
        unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC)
    assert not (tmp_path / "out").exists()
    unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC, database=False)


def test_a_disk_that_takes_no_file_is_an_error_that_says_so(tmp_path, monkeypatch):
    bundle(tmp_path / "b")
    monkeypatch.setattr("tabsynth.release.bundle.unpack.POSTGRES", "absent/postgres.sql")
    with pytest.raises(BundleError, match=r"cannot be unpacked \(No such file"):
        unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC)
    assert not (tmp_path / "out").exists()


def test_without_duckdb_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UsageError, match=r"tabsynth\[share\]"):
        unpack_bundle(tmp_path / "b", tmp_path / "out", key=PUBLIC)


def test_names_cannot_become_commands_of_psql():
    """psql takes a line that begins with a backslash for a command, a shell's too, outside of quotes."""
    from tests.unit.release.bundle.made import schema

    whole = schema()
    evil = "a\n\\! touch /tmp/owned\n"
    stated = BundledTable(name="t", stem="t", n_rows=1, digest="d", guarantee="g")
    columns = (replace(whole["age"], name=evil, description=evil), whole["ward"])
    table = sql.SqlTable(stated, replace(whole, name="t", columns=columns, primary_key=(), constraints=()))
    script = sql.postgres_script([table], ())
    assert script.index("SET standard_conforming_strings = on;") < script.index("BEGIN;")
    copies = [line for line in script.split("\n") if line.startswith("\\copy")]
    assert copies == [
        "\\copy \"t\" FROM 'data/t.csv' WITH (FORMAT csv, HEADER true, NULL '', ENCODING 'UTF8')"
    ]
    with pytest.raises(BundleError, match="take what follows for a command"):
        sql.postgres_script([sql.SqlTable(stated, replace(table.schema, name=evil))], ())


def test_tables_without_levels_or_numbers_have_three_queries_too():
    from tests.unit.release.bundle.made import schema

    whole = schema()
    for kept in (["stay id"], ["came", "waited"], ["age"], ["died"], ["stay id", "age"]):
        columns = tuple(column for column in whole.columns if column.name in kept)
        table = sql.SqlTable(None, replace(whole, columns=columns, primary_key=(), constraints=()))
        found = sql.queries(table)
        assert len(found) == 3
        with duckdb.connect() as connection:
            connection.execute(sql.create(table, ()))
            for _, query in found:
                connection.execute(query)


def test_postgresql_loads_the_script_and_answers_the_queries(postgres, opened):  # noqa: F811
    source, found, keys = opened
    folder = Path("/tmp") / f"tabsynth-bundle-{os.getpid()}"
    shutil.copytree(source, folder)  # where another user may read
    try:
        folder.chmod(0o755)
        loaded = postgres("-f", "postgres.sql", cwd=folder)
        assert loaded.returncode == 0, loaded.stderr
        asked = postgres("-f", "queries.sql", cwd=folder)
        assert asked.returncode == 0, asked.stderr
    finally:
        shutil.rmtree(folder)
    frame = rows().frame
    counted = postgres(
        "-c", "SELECT count(*), count(pressure), sum(age), sum(charge)::numeric(20,2) FROM stays"
    )
    charge = frame["charge"].cast(pl.Decimal(20, 2)).sum()
    assert counted.stdout.strip() == f"200|{frame['pressure'].count()}|{frame['age'].sum()}|{charge}"
    waited = postgres("-c", "SELECT extract(epoch FROM sum(waited))::bigint FROM stays")
    assert int(waited.stdout) == frame["waited"].dt.total_seconds().sum()
    moment = postgres("-c", "SELECT sum(extract(epoch FROM zoned))::bigint FROM stays")
    assert int(moment.stdout) == frame["zoned"].dt.timestamp("ms").sum() // 1000
    quoted = postgres("-c", "SELECT count(*) FROM stays WHERE ward = 'eye, \"ear\"' AND died")
    assert int(quoted.stdout) == frame.filter(pl.col("ward") == 'eye, "ear"', "died").height
    keyed = postgres("-c", "SELECT conname FROM pg_constraint WHERE contype IN ('p', 'f') ORDER BY contype")
    assert len(keyed.stdout.split("\n")) >= 3
    said = postgres("-c", "SELECT obj_description('stays'::regclass)")
    assert "Not anonymous by construction" in said.stdout
    assert found.manifest.tables[0].name == keys[0].child


def test_an_evil_column_does_nothing_in_a_real_psql(postgres, tmp_path):  # noqa: F811
    from tests.unit.release.bundle.made import schema

    mark = Path("/tmp") / f"tabsynth-owned-{os.getpid()}"
    folder = Path("/tmp") / f"tabsynth-evil-{os.getpid()}"
    (folder / "data").mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "data/evil.csv").write_text("a,b\n1,surgery\n")
    evil = f"a\n\\! touch {mark}\n\\echo :HOME"
    whole = schema()
    stated = BundledTable(name="evil", stem="evil", n_rows=1, digest="d", guarantee=evil)
    columns = (replace(whole["age"], name=evil, description=evil), whole["ward"])
    table = sql.SqlTable(stated, replace(whole, name="evil", columns=columns, primary_key=(), constraints=()))
    (folder / "load.sql").write_text(sql.postgres_script([table], ()) + sql.queries_script([table]))
    try:
        done = postgres("-f", "load.sql", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert not mark.exists()
        assert postgres("-c", "SELECT count(*) FROM evil").stdout.strip() == "1"
    finally:
        shutil.rmtree(folder)
        mark.unlink(missing_ok=True)
    assert tmp_path.is_dir()
