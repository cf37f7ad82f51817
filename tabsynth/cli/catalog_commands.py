"""`catalog add`, `list`, `show`, `search`, `expire`, `cumulative` and `diff`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.options import DebugOption, JsonOption, QuietOption
from tabsynth.cli.session import DENIED, DONE, Session, one_line
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.catalog import Composed, Release
    from tabsynth.privacy import Budget

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
    cap_epsilon: Annotated[
        float | None,
        typer.Option("--cap-epsilon", metavar="E", help="First release of a source: what all may come to."),
    ] = None,
    cap_delta: Annotated[
        float | None, typer.Option("--cap-delta", metavar="D", help="Its δ; 1e-6 unless said.")
    ] = None,
    no_cap: Annotated[
        bool, typer.Option("--no-cap", help="First release of a source: nothing limits its releases.")
    ] = False,
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

        release, composed = open_catalog(catalog).add(
            bundle, key=read_public_key(key), cap=_cap(cap_epsilon, cap_delta), is_uncapped=no_cap
        )
        session.show(_composed_words(composed))
        session.finish(
            f"Recorded {release.name} as release {release.id}",
            data={"release": _release_data(release), "cumulative": _composed_data(composed)},
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

        found = open_catalog(catalog).releases(source=source)
        _show_releases(session, found)
        session.finish(
            count(len(found), "release"), data={"releases": [_release_data(each) for each in found]}
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
        found = open_catalog(catalog).releases(source=source, column=column, tag=tag)
        _show_releases(session, found)
        session.finish(
            f"{count(len(found), 'release')} found",
            data={"releases": [_release_data(each) for each in found]},
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

        opened = open_catalog(catalog)
        found = opened.release(release)
        for name, value in _shown(found).items():
            session.show(f"{name + ':':<15}{one_line(value)}")
        for table in found.tables:
            columns = ", ".join(found.table_schema(table.name).column_names)
            session.show(
                f"\nTable {one_line(table.name)}: {table.n_rows:,} rows. {one_line(table.guarantee)}"
            )
            session.show(f"  columns: {one_line(columns)}")
        composed = opened.cumulative(found.source)
        session.show(f"\n{_composed_words(composed)}")
        session.finish(
            f"Release {release}",
            data={"release": _release_data(found), "cumulative": _composed_data(composed)},
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

        opened, day = open_catalog(catalog), day_of(on)
        if release is not None:
            ended = opened.end(release, on=day)
            session.finish(
                f"Release {release} ({ended.name}) ends on {day.isoformat()}: tell {one_line(ended.terms.recipient)}",
                data={"release": _release_data(ended)},
            )
            return
        until = day + dt.timedelta(days=max(0, within))
        due = [each for each in opened.releases() if min(each.expires, each.terms.reassess) <= until]
        for each in due:
            session.show(
                f"{each.id:>4}  {one_line(each.name)} ({one_line(each.terms.recipient)}): {_due(each, day)}"
            )
        session.finish(
            f"{count(len(due), 'release')} expired, or due within {within} days",
            data={"releases": [{**_release_data(each), "due": _due(each, day)} for each in due]},
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

        found = open_catalog(catalog).cumulative(source)
        code = DONE if found.is_within else DENIED
        session.show(_composed_words(found))
        session.finish(
            f"{count(found.n_releases, 'release')}, {count(found.n_charges, 'charge')}",
            data={"exit_code": code, **_composed_data(found)},
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

        opened = open_catalog(catalog)
        found = diff_releases(opened.release(before), opened.release(after))
        head = ("table", "what", str(before), str(after))
        _show_rows(session, head, [(each.table, each.what, each.before, each.after) for each in found])
        session.finish(
            f"{count(len(found), 'difference')} between release {before} and release {after}",
            data={
                "differences": [
                    {"table": each.table, "what": each.what, "before": each.before, "after": each.after}
                    for each in found
                ]
            },
        )


def _cap(epsilon: float | None, delta: float | None) -> Budget | None:
    from tabsynth.privacy import Budget

    if epsilon is None:
        if delta is not None:
            raise UsageError("a δ belongs to an ε: give --cap-epsilon too")
        return None
    return Budget(epsilon=epsilon, delta=1e-6 if delta is None else delta)


def _shown(release: Release) -> dict[str, str]:
    terms = release.terms
    found = {
        "Name": release.name,
        "Source": release.source,
        "For": f"{terms.recipient} ({release.audience})",
        "Released": release.released.isoformat(),
        "Expires": release.expires.isoformat(),
        "Reassess": terms.reassess.isoformat(),
        "Licence": terms.licence,
        "Purpose": terms.purpose,
        "Contact": terms.contact,
        "Tags": ", ".join(terms.tags),
        "Signed off by": release.sign_off,
        "Key": release.signer,
        "Bundle": release.location,
        "SHA-256": release.sha256,
    }
    return {name: value for name, value in found.items() if value}


def _due(release: Release, day: dt.date) -> str:
    if release.expires < day:
        return f"expired on {release.expires.isoformat()}"
    if release.terms.reassess < min(day, release.expires):
        return f"was to be reassessed on {release.terms.reassess.isoformat()}, expires {release.expires.isoformat()}"
    first = min(release.expires, release.terms.reassess)
    what = "expires" if first == release.expires else "is to be reassessed"
    return f"{what} on {first.isoformat()}"


def _composed_words(found: Composed) -> str:
    together = f"All {found.n_releases} releases" if found.n_releases > 1 else "The only release"
    epsilon = f"{found.epsilon:.4g}" if found.epsilon < float("inf") else "∞"
    said = (
        f"{together} of {one_line(found.source)!r}: ε = {epsilon} at δ = {found.delta:g}, unit: {found.unit}"
    )
    if found.cap is None:
        return f"{said}. No cap limits them."
    return f"{said}; the cap is ε = {found.cap.epsilon:g}, δ = {found.cap.delta:g}."


def _composed_data(found: Composed) -> dict[str, object]:
    is_finite = found.epsilon < float("inf")
    return {
        "source": found.source,
        "releases": found.n_releases,
        "charges": found.n_charges,
        "epsilon": found.epsilon if is_finite else None,
        "delta": found.delta,
        "unit": found.unit,
        "cap": None if found.cap is None else {"epsilon": found.cap.epsilon, "delta": found.cap.delta},
        "within": found.is_within,
    }


def _release_data(release: Release) -> dict[str, object]:
    return {
        "id": release.id,
        "name": release.name,
        "source": release.source,
        "audience": release.audience,
        "recipient": release.terms.recipient,
        "released": release.released.isoformat(),
        "expires": release.expires.isoformat(),
        "reassess": release.terms.reassess.isoformat(),
        "tags": list(release.terms.tags),
        "sign_off": release.sign_off or None,
        "signer": release.signer,
        "location": release.location,
        "sha256": release.sha256,
        "tables": [
            {
                "name": table.name,
                "rows": table.n_rows,
                "epsilon": table.epsilon,
                "delta": table.delta,
                "unit": table.unit,
                "columns": list(release.table_schema(table.name).column_names),
            }
            for table in release.tables
        ],
    }


def _show_releases(session: Session, found: Iterable[Release]) -> None:
    rows = [
        (
            str(release.id),
            release.name,
            release.source,
            release.terms.recipient,
            release.expires.isoformat(),
            ", ".join(dict.fromkeys(_epsilon(table.epsilon) for table in release.tables)),
            f"{sum(table.n_rows for table in release.tables):,}",
        )
        for release in found
    ]
    _show_rows(session, ("", "name", "source", "for", "until", "ε", "rows"), rows)


def _epsilon(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _show_rows(session: Session, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if session.json_output or session.quiet or not rows:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in head:
        shown.add_column(name, justify="right" if name in ("", "rows") else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(one_line(cell)) for cell in row))
    Console(highlight=False, markup=False).print(shown)
