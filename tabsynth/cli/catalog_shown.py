"""What the catalogue's commands show of releases, and of what they cost together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.session import Session, one_line
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.catalog import Catalog, Composed, Release
    from tabsynth.privacy import Budget

CapEpsilonOption = Annotated[
    float | None,
    typer.Option("--cap-epsilon", metavar="E", help="First release of a source: what all may come to."),
]
CapDeltaOption = Annotated[
    float | None, typer.Option("--cap-delta", metavar="D", help="Its δ; 1e-6 unless said.")
]
NoCapOption = Annotated[
    bool, typer.Option("--no-cap", help="First release of a source: nothing limits its releases.")
]


def cap_of(epsilon: float | None, delta: float | None) -> Budget | None:
    from tabsynth.privacy import Budget

    if epsilon is None:
        if delta is not None:
            raise UsageError("a δ belongs to an ε: give --cap-epsilon too")
        return None
    return Budget(epsilon=epsilon, delta=1e-6 if delta is None else delta)


def note_new_catalog(session: Session, opened: Catalog) -> None:
    """A line where there was no catalogue before it was opened."""
    if opened.is_new:
        session.note(f"There was no catalogue: started a new one at {one_line(opened.place)}")


def facts_of(release: Release) -> dict[str, str]:
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


def due_words(release: Release, day: dt.date) -> str:
    if release.expires < day:
        return f"expired on {release.expires.isoformat()}"
    if release.terms.reassess < min(day, release.expires):
        return f"was to be reassessed on {release.terms.reassess.isoformat()}, expires {release.expires.isoformat()}"
    first = min(release.expires, release.terms.reassess)
    what = "expires" if first == release.expires else "is to be reassessed"
    return f"{what} on {first.isoformat()}"


def composed_words(found: Composed) -> str:
    together = f"All {found.n_releases} releases" if found.n_releases > 1 else "The only release"
    epsilon = f"{found.epsilon:.4g}" if found.epsilon < float("inf") else "∞"
    said = (
        f"{together} of {one_line(found.source)!r}: ε = {epsilon} at δ = {found.delta:g}, unit: {found.unit}"
    )
    if found.cap is None:
        return f"{said}. No cap limits them."
    return f"{said}; the cap is ε = {found.cap.epsilon:g}, δ = {found.cap.delta:g}."


def composed_data(found: Composed) -> dict[str, object]:
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


def release_data(release: Release) -> dict[str, object]:
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


def show_releases(session: Session, found: Iterable[Release]) -> None:
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
    show_rows(session, ("", "name", "source", "for", "until", "ε", "rows"), rows)


def _epsilon(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def show_rows(session: Session, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
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
