"""`catalog add`, `list`, `show`, `search`, `expire`, `cumulative` and `diff`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.catalog_shown import (
    CapDeltaOption,
    CapEpsilonOption,
    NoCapOption,
    cap_of,
    composed_data,
    composed_words,
    due_words,
    facts_of,
    note_new_catalog,
    release_data,
    show_releases,
    show_rows,
)
from tabsynth.cli.columns import count
from tabsynth.cli.options import DebugOption, JsonOption, QuietOption
from tabsynth.cli.session import DENIED, DONE, Session, one_line
from tabsynth.errors import UsageError

CatalogOption = Annotated[
    str,
    typer.Option(
        "--catalog",
        metavar="FILE|URL",
        envvar="TABSYNTH_CATALOG",
        help="An SQLite file, or a SQLAlchemy URL.",
    ),
]
NumberArgument = Annotated[int, typer.Argument(metavar="RELEASE", help="Its number in the catalogue.")]
_FILE = "tabsynth-catalog.db"


def add(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle: a path, or an address such as s3://…")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="PUB", help="The public key it must be signed by.")],
    cap_epsilon: CapEpsilonOption = None,
    cap_delta: CapDeltaOption = None,
    no_cap: NoCapOption = False,
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a bundle and record it, unless its source's releases would then exceed their cap.

    Exit code 0: recorded; 3: above the cap, nothing is recorded.
    """
    with Session(command="catalog add", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog
        from tabsynth.release.bundle.keys import read_public_key

        opened = open_catalog(catalog)
        note_new_catalog(session, opened)
        release, composed = opened.add(
            bundle, key=read_public_key(key), cap=cap_of(cap_epsilon, cap_delta), is_uncapped=no_cap
        )
        session.show(composed_words(composed))
        session.finish(
            f"Recorded {release.name} as release {release.id}",
            data={"release": release_data(release), "cumulative": composed_data(composed)},
            next_steps=[["tabsynth", "catalog", "show", str(release.id)]],
        )


def list_(
    source: Annotated[
        str | None, typer.Option("--source", metavar="ID", help="Releases of this source alone.")
    ] = None,
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List what was released: of what, to whom, until when, at which ε."""
    with Session(command="catalog list", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog

        found = open_catalog(catalog, create=False).releases(source=source)
        show_releases(session, found)
        session.finish(
            count(len(found), "release"), data={"releases": [release_data(each) for each in found]}
        )


def search(
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="With a column of this name.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="With this tag.")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="ID", help="Of this source.")] = None,
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find releases by column, tag and source; all that are given must match."""
    with Session(command="catalog search", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog

        if (column, tag, source) == (None, None, None):
            raise UsageError("say what to look for: --column, --tag or --source")
        found = open_catalog(catalog, create=False).releases(source=source, column=column, tag=tag)
        show_releases(session, found)
        session.finish(
            f"{count(len(found), 'release')} found",
            data={"releases": [release_data(each) for each in found]},
        )


def show(
    release: NumberArgument,
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Everything about one release: terms, tables, guarantee, who signed, where the bundle lies."""
    with Session(command="catalog show", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog

        opened = open_catalog(catalog, create=False)
        found = opened.release(release)
        for name, value in facts_of(found).items():
            session.show(f"{name + ':':<15}{one_line(value)}")
        for table in found.tables:
            columns = ", ".join(found.table_schema(table.name).column_names)
            session.show(
                f"\nTable {one_line(table.name)}: {table.n_rows:,} rows. {one_line(table.guarantee)}"
            )
            session.show(f"  columns: {one_line(columns)}")
        composed = opened.cumulative(found.source)
        session.show(f"\n{composed_words(composed)}")
        session.finish(
            f"Release {release}",
            data={"release": release_data(found), "cumulative": composed_data(composed)},
        )


def expire(
    release: Annotated[
        int | None, typer.Argument(metavar="[RELEASE]", help="End this one; without it, list what ends.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="The day it ends; today unless said.")
    ] = None,
    within: Annotated[
        int, typer.Option("--within", metavar="DAYS", help="List what ends, or is to be reassessed, by then.")
    ] = 30,
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List what has expired or soon will, or end a release early. What it cost stays counted."""
    with Session(command="catalog expire", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog
        from tabsynth.cli.release_input import day_of

        opened, day = open_catalog(catalog, create=False), day_of(on)
        if release is not None:
            ended = opened.end(release, on=day)
            session.finish(
                f"Release {release} ({ended.name}) ends on {day.isoformat()}: tell {one_line(ended.terms.recipient)}",
                data={"release": release_data(ended)},
            )
            return
        until = day + dt.timedelta(days=max(0, within))
        due = [each for each in opened.releases() if min(each.expires, each.terms.reassess) <= until]
        for each in due:
            session.show(
                f"{each.id:>4}  {one_line(each.name)} ({one_line(each.terms.recipient)}): {due_words(each, day)}"
            )
        session.finish(
            f"{count(len(due), 'release')} expired, or due within {within} days",
            data={"releases": [{**release_data(each), "due": due_words(each, day)} for each in due]},
        )


def cumulative(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source's id.")],
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """What all releases of a source come to, against its cap. Exit code 3: above it."""
    with Session(command="catalog cumulative", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import open_catalog

        found = open_catalog(catalog, create=False).cumulative(source)
        code = DONE if found.is_within else DENIED
        session.show(composed_words(found))
        session.finish(
            f"{count(found.n_releases, 'release')}, {count(found.n_charges, 'charge')}",
            data={"exit_code": code, **composed_data(found)},
            ok=found.is_within,
        )
    raise typer.Exit(code)


def diff(
    before: Annotated[int, typer.Argument(metavar="A", help="A release's number.")],
    after: Annotated[int, typer.Argument(metavar="B", help="Another's.")],
    catalog: CatalogOption = _FILE,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """What changed from release A to release B: schema, rows, privacy, and how far each column moved."""
    with Session(command="catalog diff", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.catalog import diff_releases, open_catalog

        opened = open_catalog(catalog, create=False)
        found = diff_releases(opened.release(before), opened.release(after))
        head = ("table", "what", str(before), str(after))
        show_rows(session, head, [(each.table, each.what, each.before, each.after) for each in found])
        session.finish(
            f"{count(len(found), 'difference')} between release {before} and release {after}",
            data={
                "differences": [
                    {"table": each.table, "what": each.what, "before": each.before, "after": each.after}
                    for each in found
                ]
            },
        )
