"""The catalogue itself: one transaction for each step, so that a kill at any moment leaves all of it or nothing.

Two processes may add at once: SQLite takes its write lock first, other databases isolate by serialisable
transactions, so no two releases can each find room under a cap that holds one.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.catalog.addresses import fetched, shown
from tabsynth.catalog.budget import PERSON, ROW, Composed, compose, protected_by
from tabsynth.catalog.entry import Release, TableEntry, release_of, to_json
from tabsynth.errors import BudgetError, OutputExistsError, UsageError
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger import copy_from_data, copy_to_data
from tabsynth.release.bundle.terms import terms_from_dict

if TYPE_CHECKING:
    import sqlalchemy as sa
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from sqlalchemy.engine import Engine

DEFAULT = "tabsynth-catalog.db"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    """An open catalogue; made by `open_catalog`. `is_new`: there was none before."""

    engine: Engine
    is_new: bool = False

    @property
    def place(self) -> str:
        """An SQLite file's path, else the URL without its password."""
        from tabsynth.catalog.tables import place_of

        return place_of(self.engine.url)

    def add(
        self,
        bundle: str | Path,
        *,
        key: Ed25519PublicKey,
        cap: Budget | None = None,
        is_uncapped: bool = False,
        location: str | None = None,
    ) -> tuple[Release, Composed]:
        """Record the bundle at a path, or at any address that fsspec knows, once everything about it holds.

        The first release of a source needs a cap for it: that of its ledger file, or `cap`, or in words none
        (`is_uncapped`). `location` is where it will lie, if not there. Raises `BudgetError`, with nothing recorded, where all releases of the source would come to
        more than its cap, or where that cap is for persons and the release protects rows; `OutputExistsError` for a bundle that is there; `UsageError` where the source has another cap.
        """
        if cap is not None and is_uncapped:
            raise UsageError("state a cap for the source, or that it has none, not both")
        found = str(bundle) if "://" in str(bundle) else str(Path(bundle).absolute())
        with fetched(found) as path:
            release = release_of(path, location=shown(location or found), key=key)
        with self._transaction() as connection:
            known = _find(connection, sha256=release.sha256)
            if known is not None:
                raise OutputExistsError(f"this bundle is in the catalogue already, as release {known}")
            held = _cap(connection, release, cap, is_uncapped=is_uncapped)
            earlier = _tables_of(connection, release.source)
            composed = compose(
                release.source,
                (*earlier, *release.tables),
                n_releases=_count(connection, release.source) + 1,
                cap=held,
            )
            if not composed.is_within:
                raise _denied(composed)
            number = _insert(connection, release)
            return _read(connection, number), composed

    def releases(
        self, *, source: str | None = None, column: str | None = None, tag: str | None = None
    ) -> tuple[Release, ...]:
        """All releases in order, or those of a source, with a column of that name, or with a tag."""
        with self._transaction() as connection:
            found = [_read(connection, number) for number in _numbers(connection, source)]
        return tuple(
            release
            for release in found
            if (column is None or column in {name for _, name in release.columns})
            and (tag is None or tag in release.terms.tags)
        )

    def release(self, number: int) -> Release:
        """One release; `UsageError` where there is none of that number."""
        with self._transaction() as connection:
            return _read(connection, number)

    def end(self, number: int, *, on: dt.date) -> Release:
        """Record that a release ends on a day, no later than it would have; what it cost stays counted."""
        from tabsynth.catalog.tables import releases

        with self._transaction() as connection:
            known = _read(connection, number)
            if on > known.expires:
                raise UsageError(
                    f"release {number} expires on {known.expires.isoformat()}, which no catalogue can put off: "
                    "release anew"
                )
            connection.execute(releases.update().where(releases.c.id == number).values(expires=on))
            return _read(connection, number)

    def cumulative(self, source: str) -> Composed:
        """What all releases of a source come to; `UsageError` where the catalogue knows none."""
        with self._transaction() as connection:
            if not _count(connection, source):
                raise UsageError(f"the catalogue knows no release of the source {source!r}")
            return compose(
                source,
                _tables_of(connection, source),
                n_releases=_count(connection, source),
                cap=_known_cap(connection, source),
            )

    def sources(self) -> tuple[str, ...]:
        """The sources that the catalogue knows releases of."""
        import sqlalchemy as sa

        from tabsynth.catalog.tables import releases

        with self._transaction() as connection:
            return tuple(
                connection.scalars(sa.select(releases.c.source).distinct().order_by(releases.c.source))
            )

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        from sqlalchemy.exc import DBAPIError

        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as fault:
            raise UsageError(
                f"the catalogue's database refused ({type(fault).__name__}): nothing was recorded; try again"
            ) from None


def open_catalog(where: str | Path = DEFAULT, *, create: bool = True) -> Catalog:
    """The catalogue at an SQLite file's path, or at any SQLAlchemy URL; it is made where there is none, if `create`.

    Raises `UsageError` where there is none or it cannot be opened, or SQLAlchemy (the extra `share`) is not installed.
    """
    try:
        from tabsynth.catalog.tables import create_tables, engine_of
    except ImportError:
        raise UsageError("a catalogue needs SQLAlchemy: pip install 'tabsynth[share]'") from None
    engine = engine_of(str(where))
    return Catalog(engine, is_new=create_tables(engine, create=create))


def _denied(composed: Composed) -> BudgetError:
    assert composed.cap is not None
    return BudgetError(
        f"the releases of {composed.source!r} would come to ε = {composed.epsilon:.4g} at δ = {composed.delta:g} together, "
        f"above the cap of ε = {composed.cap.epsilon:g}: the release is not recorded, and must not go out"
    )


def _cap(
    connection: sa.Connection, release: Release, cap: Budget | None, *, is_uncapped: bool
) -> Budget | None:
    """The cap of the release's source, recorded now where it has none yet; locks the source until the end."""
    import sqlalchemy as sa

    from tabsynth.catalog.tables import sources

    row = connection.execute(
        sa.select(sources).where(sources.c.source == release.source).with_for_update()
    ).one_or_none()
    if row is not None:
        held = None if row.epsilon is None else Budget(epsilon=row.epsilon, delta=row.delta)
        if (cap is not None and cap != held) or (is_uncapped and held is not None):
            raise UsageError(
                f"the source {release.source!r} has another cap already, which adding does not change"
            )
        if held is not None and row.unit == PERSON and protected_by(release.tables) == ROW:
            raise BudgetError(
                f"the cap of {release.source!r} is for persons, and the release protects rows, of which a person may "
                "have many: it is not recorded, and must not go out"
            )
        return held
    kept = {table.ledger.cap for table in release.tables if table.ledger.series is not None} - {None}
    held = cap or min(kept, key=lambda found: (found.epsilon, found.delta), default=None)  # type: ignore[union-attr]
    if held is None and not is_uncapped:
        raise UsageError(
            f"this is the first release of {release.source!r}, and no ledger file caps it: state what all of its "
            "releases may come to (--cap-epsilon, --cap-delta), or that nothing limits them (--no-cap)"
        )
    connection.execute(
        sources.insert().values(
            source=release.source,
            epsilon=None if held is None else held.epsilon,
            delta=None if held is None else held.delta,
            unit=protected_by(release.tables),
        )
    )
    return held


def _known_cap(connection: sa.Connection, source: str) -> Budget | None:
    import sqlalchemy as sa

    from tabsynth.catalog.tables import sources

    row = connection.execute(sa.select(sources).where(sources.c.source == source)).one()
    return None if row.epsilon is None else Budget(epsilon=row.epsilon, delta=row.delta)


def _find(connection: sa.Connection, *, sha256: str) -> int | None:
    import sqlalchemy as sa

    from tabsynth.catalog.tables import releases

    found: int | None = connection.scalar(sa.select(releases.c.id).where(releases.c.sha256 == sha256))
    return found


def _numbers(connection: sa.Connection, source: str | None = None) -> Sequence[int]:
    import sqlalchemy as sa

    from tabsynth.catalog.tables import releases

    asked = sa.select(releases.c.id).order_by(releases.c.id)
    return connection.scalars(asked if source is None else asked.where(releases.c.source == source)).all()


def _count(connection: sa.Connection, source: str) -> int:
    return len(_numbers(connection, source))


def _tables_of(connection: sa.Connection, source: str) -> tuple[TableEntry, ...]:
    return tuple(
        table for number in _numbers(connection, source) for table in _read(connection, number).tables
    )


def _insert(connection: sa.Connection, release: Release) -> int:
    from tabsynth.catalog.tables import released_tables, releases

    plain = {
        name: getattr(release, name)
        for name in ("sha256", "source", "name", "audience", "released", "expires", "signer", "location")
    }
    connection.execute(
        releases.insert().values(
            **plain, sign_off=release.sign_off, terms=to_json(release.terms.to_dict()), schema=release.schema
        )
    )
    number = _find(connection, sha256=release.sha256)
    assert number is not None
    for position, table in enumerate(release.tables):
        plain = {
            name: getattr(table, name)
            for name in ("name", "n_rows", "digest", "guarantee", "epsilon", "delta", "unit", "model")
        }
        connection.execute(
            released_tables.insert().values(
                release_id=number,
                position=position,
                **plain,
                ledger=to_json(copy_to_data(table.ledger)),
                report=to_json(table.report),
            )
        )
    return number


def _read(connection: sa.Connection, number: int) -> Release:
    import sqlalchemy as sa

    from tabsynth.catalog.tables import released_tables, releases

    row = connection.execute(sa.select(releases).where(releases.c.id == number)).one_or_none()
    if row is None:
        raise UsageError(f"the catalogue has no release {number}")
    asked = sa.select(released_tables).where(released_tables.c.release_id == number)
    found = connection.execute(asked.order_by(released_tables.c.position)).all()
    fields: dict[str, Any] = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's public name for it
    return Release(
        **{**fields, "terms": terms_from_dict(json.loads(row.terms))},
        tables=tuple(_table(table) for table in found),
    )


def _table(row: Any) -> TableEntry:
    fields = {name: value for name, value in row._mapping.items() if name not in ("release_id", "position")}  # noqa: SLF001
    ledger, report = copy_from_data(json.loads(row.ledger)), json.loads(row.report)
    return TableEntry(**{**fields, "ledger": ledger, "report": report})
