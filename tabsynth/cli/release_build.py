"""`release build`: rows that the policy allows to leave become one signed bundle, and an entry of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.catalog_shown import (
    CapDeltaOption,
    CapEpsilonOption,
    NoCapOption,
    cap_of,
    composed_data,
    composed_words,
    note_new_catalog,
)
from tabsynth.cli.columns import count
from tabsynth.cli.options import (
    AudienceOption,
    DebugOption,
    JsonOption,
    LedgerSinceOption,
    NoiseOption,
    OverwriteOption,
    PolicyOption,
    QuietOption,
    ShadowOption,
)
from tabsynth.cli.policy_commands import exit_code, show_decision
from tabsynth.cli.release_commands import manifest_data, passphrase_of
from tabsynth.cli.release_input import day_of
from tabsynth.cli.session import DONE, Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tabsynth.privacy import Budget
    from tabsynth.release.bundle.manifest import Manifest
    from tabsynth.release.bundle.parts import ReleasedTable


def build(
    terms: Annotated[
        Path, typer.Option("--terms", metavar="FILE", help="Licence, purpose, recipient, expiry (YAML).")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key that signs.")],
    out: Annotated[Path, typer.Option("--out", metavar="BUNDLE", help="The bundle (.zip).")],
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="The folder of a run: all of its tables.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="Instead of RUN: the folder of a model.")
    ] = None,
    synthetic: Annotated[
        Path | None, typer.Option("--synthetic", metavar="FILE", help="The rows that the model made.")
    ] = None,
    audience: AudienceOption = "outsiders",
    policy: PolicyOption = None,
    audit: Annotated[
        list[Path] | None,
        typer.Option("--audit", metavar="FILE", help="An audit of the rows (JSON); repeatable."),
    ] = None,
    shadow: ShadowOption = None,
    noise: NoiseOption = None,
    ledger: LedgerSinceOption = None,
    sign_off: Annotated[
        str | None,
        typer.Option("--sign-off", metavar="NAME", help="Who answers for what may be signed off; published."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; published with the name.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="ID", help="The source's id, where no ledger names it."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="S", help="The seed the rows were drawn with: they are drawn again."),
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="The day of the release; today unless said.")
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            "--catalog",
            metavar="FILE|URL",
            help="Record it there; nothing is written where its source's releases would exceed their cap.",
        ),
    ] = None,
    cap_epsilon: CapEpsilonOption = None,
    cap_delta: CapDeltaOption = None,
    no_cap: NoCapOption = False,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write one signed bundle of rows that the policy allows to leave.

    Exit code 0: written; 3: denied, or above the cap of the catalogue, nothing is written; 4: needs a sign-off,
    nothing is written.
    """
    with Session(command="release build", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.cli.release_input import chosen_policy, release_input, signed_off
        from tabsynth.config.release import Given, released_tables, source_of
        from tabsynth.config.steps import require_apart, require_free
        from tabsynth.release.bundle.build import build_bundle
        from tabsynth.release.bundle.keys import is_encrypted, read_private_key
        from tabsynth.release.bundle.terms import read_terms

        recorded: dict[str, object] = {}
        cap = _Cap.of(catalog, cap_epsilon, cap_delta, is_uncapped=no_cap)
        kept = None if catalog is None or "://" in catalog else Path(catalog)
        given_files = (terms, key, model, synthetic, policy, *(audit or ()), shadow, noise, ledger, kept)
        require_free(out, inputs=given_files, overwrite=overwrite)
        stated, day = read_terms(terms), day_of(on)
        private = read_private_key(key, passphrase=passphrase_of(key) if is_encrypted(key) else None)
        rules, text = chosen_policy(policy)
        rules.audience(audience)
        candidates, known_seed, foreign_keys = release_input(run, model, synthetic, seed=seed)
        require_apart(out, (path for found in candidates for path in found.files))
        given = Given(
            policy=rules,
            audience=audience,
            on=day,
            sign_off=signed_off(sign_off, reason, on=day),
            audits=tuple(audit or ()),
            shadow=shadow,
            noise=noise,
            ledger=ledger,
        )
        tables = released_tables(candidates, given, seed=known_seed)
        code = _decide(session, tables)
        if code != DONE:
            session.finish(
                "No bundle was written",
                data={"exit_code": code, "decisions": [table.decision.to_dict() for table in tables]},
                ok=False,
            )
            raise typer.Exit(code)
        with _recorded(
            catalog, out, cap=cap, key=private, session=session, data=recorded, overwrite=overwrite
        ) as target:
            manifest = build_bundle(
                tables,
                target,
                terms=stated,
                policy=text,
                source=source_of(tables, source),
                key=private,
                foreign_keys=foreign_keys,
            )
        public = key.with_name(f"{key.name}.pub")
        session.finish(
            f"Released {_counted(manifest)} for {audience}, until {manifest.expires.isoformat()}",
            data={"exit_code": DONE, **manifest_data(manifest), **recorded},
            files={out: f"the bundle, signed: {count(len(manifest.parts), 'part')}"},
            next_steps=[["tabsynth", "release", "verify", out, "--key", public]],
        )


@dataclass(frozen=True, slots=True)
class _Cap:
    """What all releases of a source may come to, where the first is recorded."""

    budget: Budget | None
    is_uncapped: bool

    @classmethod
    def of(
        cls, catalog: str | None, epsilon: float | None, delta: float | None, *, is_uncapped: bool
    ) -> _Cap:
        """From options; `UsageError` for those of a catalogue without one."""
        budget = cap_of(epsilon, delta)
        if catalog is None and (budget is not None or is_uncapped):
            raise UsageError("a cap stands in a catalogue: name it with --catalog")
        return cls(budget, is_uncapped)


@contextmanager
def _recorded(
    catalog: str | None,
    out: Path,
    *,
    cap: _Cap,
    key: Ed25519PrivateKey,
    session: Session,
    data: dict[str, object],
    overwrite: bool,
) -> Iterator[Path]:
    """Where to write the bundle; it gets its name once the catalogue, where there is one, has recorded it.

    So what is denied is never there to be sent, and a kill in between leaves a record of what did not go out. What was recorded
    is added to `data`.
    """
    from tabsynth.io import atomic_path

    opened = None
    if catalog is not None:
        from tabsynth.catalog import open_catalog

        opened = open_catalog(catalog)
        note_new_catalog(session, opened)
    with atomic_path(out, overwrite=overwrite) as target:
        yield target
        if opened is not None:
            release, composed = opened.add(
                target,
                key=key.public_key(),
                cap=cap.budget,
                is_uncapped=cap.is_uncapped,
                location=str(out.absolute()),
            )
            session.show(f"Recorded as release {release.id} of the catalogue. {composed_words(composed)}")
            data |= {"release": release.id, "cumulative": composed_data(composed)}


def _decide(session: Session, tables: Sequence[ReleasedTable]) -> int:
    """The strictest exit code; every decision that does not allow is shown."""
    codes = [exit_code(table.decision) for table in tables]
    for table, code in zip(tables, codes, strict=True):
        if code != DONE:
            if len(tables) > 1:
                session.show(f"Table {table.pipeline.schema.name}:")
            show_decision(table.decision, session)
    return next((code for code in (3, 4) if code in codes), DONE)


def _counted(manifest: Manifest) -> str:
    return ", ".join(f"{table.name} ({table.n_rows:,} rows)" for table in manifest.tables)
