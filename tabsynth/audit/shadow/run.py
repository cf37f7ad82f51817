"""One audit by shadow models: choose targets, fit many times, attack the engine and its controls, decide."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import numpy as np

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.audit.bound import Bound, bound_of
from tabsynth.audit.shadow.controls import NULL, SHARES, ShadowControl, copier_counts, copier_title
from tabsynth.audit.shadow.figures import Power, ShadowBattery, battery_of, power_of
from tabsynth.audit.shadow.fits import MIN_FITS, Plan, Shadows, run_fits, seconds_of, workers_of
from tabsynth.audit.shadow.game import Game
from tabsynth.audit.shadow.queries import N_QUERIES, Questions
from tabsynth.audit.shadow.results import ShadowCounts, ShadowResults
from tabsynth.audit.shadow.store import opened_store
from tabsynth.audit.shadow.verdict import decide
from tabsynth.errors import UsageError
from tabsynth.metrics.sampling import take_rows
from tabsynth.models.base import Progress, no_progress
from tabsynth.randomness import Streams
from tabsynth.refit import BlackBox
from tabsynth.schema.files import schema_to_dict
from tabsynth.schema.types import Schema, TableSchema
from tabsynth.schema.unit import unit_words
from tabsynth.table import Table

N_EACH = 10
"""Targets of either kind."""

Announce = Callable[[float, int, Power], None]


def no_announcement(_seconds: float, _n_fits: int, _power: Power) -> None:
    """Say nothing of how many fits there will be."""


def shadow_audit(
    train: Table,
    holdout: Table,
    *,
    box: BlackBox,
    n_rows: int | None = None,
    budget: str = "2m",
    n_fits: int | None = None,
    resume: Path | None = None,
    workers: int | None = None,
    seed: int = 0,
    n_each: int = N_EACH,
    announce: Announce = no_announcement,
    progress: Progress = no_progress,
) -> ShadowResults:
    """Attack an engine by many fits of it: can it be told whether a record was among its rows?

    Train and holdout are real and disjoint, of one schema. `n_rows` is the size of shadow tables and of what
    is released of each, train's size unless said. `n_fits` goes before `budget`. A `resume` file keeps the
    counts of fits that are done. `announce` hears the seconds of a fit, how many there will be, and what they
    can see. The result is private output; fits of a private engine are charged to no ledger, since nothing of
    them is released.

    Raises `UsageError` for arguments that cannot be meant, `DataError` for too few rows or persons or persons on
    both sides, `InputError` for a damaged resume file, and what a fit raises.
    """
    refuse(
        (
            whole_number_fault(seed, "the seed"),
            None if n_rows is None else whole_number_fault(n_rows, "the number of rows"),
        )
    )
    _require_fits(n_fits)
    streams, seconds = Streams(seed), dict[str, float]()
    began = time.perf_counter()
    available, at_once = seconds_of(budget), workers_of(workers)
    progress("Choosing records", 0.0)
    game = Game.of(train, holdout, n_rows=n_rows, n_each=n_each, streams=streams)
    questions = _questions(game)
    refit = box.make(game.n_rows)
    seconds["choosing"] = time.perf_counter() - began
    plan = Plan(
        seconds=available,
        n_fits=n_fits,
        workers=at_once,
        announce=lambda each, n: announce(each, n, power_of(n, n_each=n_each)),
        progress=progress,
    )
    shape = (len(questions.targets), N_QUERIES + 1)
    storing = (
        nullcontext()
        if resume is None
        else opened_store(resume, fingerprint=_fingerprint(game, box, questions), shape=shape)
    )
    began = time.perf_counter()
    with storing as store:
        shadows = run_fits(refit, game, questions, plan=plan, store=store)
    seconds["fits"] = time.perf_counter() - began
    began = time.perf_counter()
    engine, controls = _attacked(game, questions, shadows, workers=at_once, progress=progress)
    seconds["attack"] = time.perf_counter() - began
    progress("Done", 1.0)
    bound = None if box.stated is None else bound_of(box.stated.epsilon, box.stated.delta)
    return _results(game, box, shadows, engine, controls, bound=bound, seed=seed, seconds=seconds)


def _require_fits(n_fits: int | None) -> None:
    if n_fits is None:
        return
    refuse((whole_number_fault(n_fits, "the number of fits"),))
    if n_fits < MIN_FITS or n_fits % 2:
        raise UsageError(
            f"the number of fits must be even (half of them teach the attack, half judge it) and at least {MIN_FITS}, "
            f"found {n_fits}"
        )


def _questions(game: Game) -> Questions:
    rows = (*game.targets, *game.rows_of(game.chosen.nulls))
    asked = tuple(take_rows(game.encoded, those) for those in rows)
    return Questions.of(asked, game.train, rng=game.streams.generator("shadow/questions"))


def _attacked(
    game: Game, questions: Questions, shadows: Shadows, *, workers: int, progress: Progress
) -> tuple[ShadowBattery, tuple[ShadowControl, ...]]:
    """The battery on the engine, on null units, and on copiers."""
    n_targets, fits = len(game.targets), sorted(shadows.counts)
    found = np.array([shadows.counts[fit] for fit in fits], dtype=np.int64)
    labels = np.array([game.labels(fit) for fit in fits])
    seed = int(game.streams.generator("shadow/forest").integers(2**31))
    steps = 2 + len(SHARES)
    progress("Attack", 0.0)
    engine = battery_of(found[:, :n_targets], labels, seed=seed, workers=workers)
    progress("Attack on null records", 1 / steps)
    coins = np.array([game.null_labels(fit) for fit in fits])
    null = battery_of(found[:, n_targets:], coins, seed=seed, workers=workers)
    controls = [ShadowControl(name=NULL, title="records that were never in", is_leak=False, battery=null)]
    for step, share in enumerate(SHARES):
        title = copier_title(share)
        progress(f"Attack on a {title}", (2 + step) / steps)
        counts = copier_counts(game, questions, share, n_fits=len(fits))
        battery = battery_of(counts, labels, seed=seed, workers=workers)
        name = f"copy_{100 * share:g}"
        controls.append(ShadowControl(name=name, title=title, is_leak=True, battery=battery))
    return engine, tuple(controls)


def _fingerprint(game: Game, box: BlackBox, questions: Questions) -> str:
    """Of all that decides the counts. Tables take part by their sizes and by how their rows agree with targets."""
    settings = {
        "engine": box.identity,
        "schema": _plain(game.real.schema),
        "sizes": [game.real.frame.height, game.n_train, game.n_rows, len(game.targets)],
        "seed": game.streams.seed,
        "version": version("tabsynth"),
    }
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    digest.update(questions.wanted.tobytes())
    digest.update(questions.counts(game.encoded).tobytes())
    return digest.hexdigest()


def _plain(schema: TableSchema) -> object:
    return json.loads(json.dumps(schema_to_dict(Schema(tables=(schema,))), default=str))


def _results(
    game: Game,
    box: BlackBox,
    shadows: Shadows,
    engine: ShadowBattery,
    controls: tuple[ShadowControl, ...],
    *,
    bound: Bound | None,
    seed: int,
    seconds: dict[str, float],
) -> ShadowResults:
    n_fits = len(shadows.counts)
    return ShadowResults(
        title=f"Shadow audit of {box.title} on {game.real.schema.name}",
        verdict=decide(engine, controls, bound=bound),
        engine=engine,
        controls=controls,
        power=power_of(n_fits, n_each=len(game.targets) // 2),
        counts=ShadowCounts(
            train=game.n_train,
            holdout=game.real.n_rows - game.n_train,
            pool=len(game.pool),
            rows=game.n_rows,
            fits=n_fits,
            evaluated_fits=n_fits // 2,
            targets=len(game.targets),
            queries=N_QUERIES,
        ),
        seed=seed,
        unit=unit_words(game.real.schema.unit),
        bound=bound,
        notes=_notes(game),
        seconds_each=shadows.seconds_each,
        seconds=seconds,
        version=version("tabsynth"),
    )


def _notes(game: Game) -> tuple[str, ...]:
    notes = []
    if game.n_rows < game.n_train:
        notes.append(
            f"Shadow tables have {game.n_rows:,} rows, train {game.n_train:,}: of smaller tables an engine betrays more."
        )
    unread = [column.name for column in game.real.schema.columns if not column.kind.is_modelled]
    if unread:
        notes.append(
            f"Text and identifiers are not attacked, so a copy in them alone is not seen: {', '.join(unread)}."
        )
    return tuple(notes)
