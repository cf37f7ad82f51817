"""One audit: cut the tables, calibrate the attacks, attack the release, decide."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import polars as pl

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.audit.attacks import MATCH, Attacker
from tabsynth.audit.bound import Bound
from tabsynth.audit.calibration import NULL, calibrate, known_release
from tabsynth.audit.exposure import exposure_of
from tabsynth.audit.figures import battery_of
from tabsynth.audit.holdout import holdout_copies
from tabsynth.audit.isolated import NAME as ISOLATED
from tabsynth.audit.likelihood import Clique
from tabsynth.audit.questions import Interviewer
from tabsynth.audit.results import AuditResults, Counts
from tabsynth.audit.sizes import MIN_ROWS, for_columns, sizes_of
from tabsynth.audit.split import Units, asked_of, candidates_of, cut
from tabsynth.audit.subgroups import subgroups_of
from tabsynth.audit.verdict import Calibrated, decide, detectable_share, fewest_flagged
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.errors import DataError, Fault, UsageError
from tabsynth.metrics.roles import roles_of
from tabsynth.metrics.sampling import draw_rows, take_rows
from tabsynth.models.base import Progress, no_progress
from tabsynth.randomness import Streams
from tabsynth.schema.types import TableSchema
from tabsynth.schema.unit import unit_words
from tabsynth.table import Table, person_codes

STEPS = 7  # reading, five known releases, the release itself


def audit(
    synthetic: Table,
    train: Table,
    holdout: Table,
    *,
    schema: TableSchema,
    budget: str = "2m",
    bound: Bound | None = None,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
    cliques: tuple[Clique, ...] | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> AuditResults:
    """Attack one synthetic table, and decide whether it may be said not to betray who is in train.

    Train and holdout are real, disjoint and split at random. The same attacks are run on releases with a
    known answer first. `budget` is a name of `sizes.BUDGETS`; `bound` is what a stated guarantee allows;
    `quasi_identifiers` is what one of two parties holds who link a person, `sensitive` what is guessed; where
    they are not named, the schema's roles count. `cliques` are columns that the engine is known to have
    measured together. `seed` fixes every draw. The result is private output.

    Raises `UsageError` for an unknown budget, columns that cannot have such a role or a table without modelled columns, `StructureError` where a
    table lacks the schema's columns, `DataError` for too few rows or persons, or persons on both sides.
    """
    refuse((whole_number_fault(seed, "the seed"),))
    from threadpoolctl import threadpool_limits

    keys, secrets = roles_of(schema, quasi_identifiers=quasi_identifiers, sensitive=sensitive)
    sizes, streams, seconds = sizes_of(budget), Streams(seed), dict[str, float]()
    began, label, step = time.perf_counter(), "", 0

    def begin(title: str) -> None:
        nonlocal began, label, step
        now = time.perf_counter()
        if label:
            seconds[label] = now - began
        began, label = now, title
        progress(title, min(1.0, step / STEPS))
        step += 1

    begin("Reading")
    real = [_conformed(table, schema) for table in (train, holdout)]
    made = _conformed(synthetic, schema)
    units = _units(*real)
    _require_enough(made, units, by_person=schema.unit.column is not None)
    encoded_train, encoded_holdout = (encode_table(table) for table in real)
    if not encoded_train.columns:
        raise UsageError(f"table {schema.name!r} has no column that is modelled: nothing can be attacked")
    encoded_made = encode_table(made)
    release = draw_rows(encoded_made, sizes.release, streams.generator("audit/release"))
    sizes = for_columns(sizes, encoded_train.variables)
    parts = cut(*units, sizes=sizes, streams=streams)
    candidates = candidates_of(encoded_train, encoded_holdout, parts, streams=streams)
    reference, spare = (take_rows(encoded_holdout, rows) for rows in (parts.reference, parts.spare))
    learner_seed = int(streams.generator("audit/learner").integers(2**31))
    # attacks run at once, each on a core of its own
    with threadpool_limits(1):
        attacker = Attacker.of(candidates.rows, reference, seed=learner_seed, cliques=cliques)
        interviewer = Interviewer.of(
            asked_of(encoded_train, encoded_holdout, parts),
            quasi_identifiers=keys,
            sensitive=secrets,
            seed=learner_seed,
        )
        calibration = calibrate(
            attacker,
            interviewer,
            candidates,
            train=encoded_train,
            spare=spare,
            n=release.n_rows,
            streams=streams,
            begin=begin,
        )
        begin("The release")
        scores = attacker.scores(release, whole=encoded_made)
        battery = battery_of(scores, candidates, interviewer.questions(release, whole=encoded_made))
    unrelated = known_release(NULL, train=encoded_train, spare=spare, n=release.n_rows, streams=streams)
    held_out = holdout_copies(candidates, release=release, unrelated=unrelated)
    begin("Done")
    evaluated = battery.attacks[0].accusations[0]
    return AuditResults(
        title=f"Audit of synthetic {schema.name}",
        verdict=decide(battery, calibration, holdout=held_out),
        release=battery,
        calibration=calibration,
        holdout=held_out,
        detectable_share=_power(calibration),
        detectable_isolated=_isolated_power(calibration),
        isolated=interviewer.isolated.n_members,
        exposure=exposure_of(scores, candidates),
        subgroups=subgroups_of(scores, candidates, reference, schema, roles=(*secrets, *keys)),
        quasi_identifiers=keys,
        sensitive=secrets,
        counts=Counts(
            train=train.n_rows,
            holdout=holdout.n_rows,
            synthetic=synthetic.n_rows,
            release=release.n_rows,
            reference=reference.n_rows,
            members=len(parts.members),
            non_members=len(parts.non_members),
            evaluated_members=evaluated.attack.n,
            evaluated_non_members=evaluated.control.n,
            asked_members=len(parts.asked_members),
            asked_non_members=len(parts.asked_others),
        ),
        budget=budget,
        seed=seed,
        unit=unit_words(schema.unit),
        bound=bound,
        released=made.digest(),
        notes=_notes(made, release, schema),
        seconds=seconds,
        version=version("tabsynth"),
    )


def _conformed(table: Table, schema: TableSchema) -> Table:
    return table if table.schema == schema else Table.conform(table.frame, schema)


def _units(train: Table, holdout: Table) -> tuple[Units, Units]:
    """Whose each row is, by the same codes on both sides where a column names the person."""
    unit = train.schema.unit.column
    if unit is None:
        return train.unit_codes(), holdout.unit_codes()
    codes = person_codes(pl.concat([train.frame[unit], holdout.frame[unit]]))
    return codes[: train.n_rows], codes[train.n_rows :]


def _require_enough(synthetic: Table, units: tuple[Units, Units], *, by_person: bool) -> None:
    faults = []
    if synthetic.n_rows < MIN_ROWS:
        faults.append(Fault("the synthetic table", f"{synthetic.n_rows} rows, needs {MIN_ROWS}"))
    for name, codes in zip(("train", "holdout"), units, strict=True):
        if (n := len(np.unique(codes))) < MIN_ROWS:
            faults.append(Fault(name, f"{n} {'persons' if by_person else 'rows'}, needs {MIN_ROWS}"))
    if by_person and (n := len(np.intersect1d(*units))):
        hint = "split by person, so that all rows of one fall on the same side"
        faults.append(Fault("train and holdout", f"{n} persons are in both", hint))
    if faults:
        raise DataError("these tables cannot be audited", faults)


def _power(calibration: tuple[Calibrated, ...]) -> float | None:
    """What matching can see, at the rate at which it meets rows that train had no part in."""
    null = next(known.battery for known in calibration if known.name == NULL)
    matching = next(figures for figures in null.attacks if figures.attack == MATCH)
    found = matching.accusations[-1]
    return detectable_share(
        n_members=found.attack.n, n_others=found.control.n, false=found.control.hits, n_tests=null.n_tests
    )


def _isolated_power(calibration: tuple[Calibrated, ...]) -> int | None:
    """How many copies of the most isolated members are flagged, given what is found of them by chance."""
    null = next(known.battery for known in calibration if known.name == NULL)
    found = next(guess for guess in null.guesses if guess.attack_name == ISOLATED)
    if found.attack is None or found.control is None:
        return None
    return fewest_flagged(
        n_members=found.attack.n, n_others=found.control.n, false=found.control.hits, n_tests=null.n_tests
    )


def _notes(synthetic: Table, release: EncodedTable, schema: TableSchema) -> tuple[str, ...]:
    notes = []
    if release.n_rows < synthetic.n_rows:
        notes.append(
            f"{release.n_rows:,} of {synthetic.n_rows:,} synthetic rows were attacked (equal rows and numbers: "
            "all); a larger budget reads more."
        )
    unread = [column.name for column in schema.columns if not column.kind.is_modelled]
    if unread:
        notes.append(
            f"Text and identifiers are not attacked, so a copy in them alone is not seen: {', '.join(unread)}."
        )
    if schema.unit.column is not None:
        notes.append("One row of each person was attacked; several together may betray more.")
    return tuple(notes)
