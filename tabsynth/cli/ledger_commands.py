"""`ledger create`, `ledger show` and `ledger moved`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.options import DebugOption, JsonOption, QuietOption
from tabsynth.cli.session import Session, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.privacy import Charge
    from tabsynth.privacy.mechanisms import Mechanism

SourceOption = Annotated[
    str,
    typer.Option(
        "--source", metavar="ID", help="The source's name; updated extracts of one source share it."
    ),
]
_MOST_NAMED = 6
_LEGEND = (
    "Gaussian: discrete Gaussian noise of scale σ in every count; from: levels of fewer, noise included, are not "
    "released; k: rows of one unit."
)


def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ledger file; there must be none.")],
    source: SourceOption,
    epsilon: Annotated[
        float, typer.Option("--epsilon", metavar="E", help="What the whole series may come to.")
    ],
    delta: Annotated[float, typer.Option("--delta", metavar="D", help="δ of the whole series.")] = 1e-6,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Start a ledger: one file for one source, which every fit of it continues."""
    with Session(command="ledger create", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.privacy import Budget
        from tabsynth.privacy.ledger_file import create_ledger_file

        create_ledger_file(file, source=source, cap=Budget(epsilon=epsilon, delta=delta))
        session.finish(
            f"Started a ledger of {source!r}, capped at ε = {epsilon:g}, δ = {delta:g}",
            data={"source": source, "cap": {"epsilon": epsilon, "delta": delta}},
            files={file: "the ledger; keep it beside the source, and never copy it back"},
            next_steps=[
                ["tabsynth", "fit", "DATA", "--schema", "SCHEMA", "--ledger", file, "--out", "model"]
            ],
        )


def show(
    path: Annotated[Path, typer.Argument(metavar="MODEL|FILE", help="A model folder, or a ledger file.")],
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Print every charge of a model or a ledger, and what they come to."""
    with Session(command="ledger show", json_output=json_output, quiet=quiet, debug=debug) as session:
        if path.is_dir():
            _show_model(session, path)
        else:
            _show_file(session, path)


def moved(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The ledger file, where it is now.")],
    source: SourceOption,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """State that a ledger file was moved here, and that no other copy of it is continued.

    A copy is refused by every fit, and a file that was moved to another disk looks like one.
    """
    with Session(command="ledger moved", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.privacy.ledger_file import open_ledger_file

        with open_ledger_file(file, source=source, moved=True):
            pass
        session.finish(
            f"Recorded that {file.name} was moved here", data={"source": source}, files={file: "the ledger"}
        )


def _show_model(session: Session, path: Path) -> None:
    from tabsynth.pipeline import FittedPipeline
    from tabsynth.privacy import Budget
    from tabsynth.privacy.accountant import epsilon_of

    model = FittedPipeline.load(path)
    copy, privacy = model.ledger, model.privacy
    _show_charges(session, copy.charges)
    session.show(_LEGEND)
    epsilon: float | None = None
    said = "Some releases were exact: ε = ∞."
    if isinstance(privacy, Budget):
        epsilon = epsilon_of((charge.mechanism for charge in copy.charges), privacy.delta)
        said = f"They compose to ε = {epsilon:.4g} at δ = {privacy.delta:g}."
    session.show(f"{model.guarantee}\n{said}")
    if copy.series is not None and copy.cap is not None:
        session.show(
            f"Charged to the ledger of {printable(copy.source or '')!r} after {count(len(copy.former), 'charge')} of earlier "
            f"fits: together ε = {copy.epsilon(copy.cap.delta):.4g} of {copy.cap.epsilon:g} at δ = {copy.cap.delta:g}."
        )
    session.finish(
        f"{path.name}: {count(len(copy.charges), 'charge')}, a copy that cannot be continued",
        data={
            "kind": "model",
            "guarantee": model.guarantee,
            "epsilon": epsilon,
            "delta": privacy.delta if isinstance(privacy, Budget) else None,
            "source": copy.source,
            "series": copy.series,
            "former_charges": len(copy.former),
            "charges": [_charge_data(charge) for charge in copy.charges],
        },
    )


def _show_file(session: Session, path: Path) -> None:
    from tabsynth.privacy.accountant import epsilon_left, epsilon_of
    from tabsynth.privacy.ledger_file import read_ledger_file

    record = read_ledger_file(path)
    charges = tuple(charge for _, charge in record.charges)
    mechanisms = [charge.mechanism for charge in charges]
    fits = sorted({fit for fit, _ in record.charges})
    spent, left = epsilon_of(mechanisms, record.cap.delta), epsilon_left(mechanisms, record.cap)
    for fit in fits:
        session.show(f"Fit {fit}")
        _show_charges(session, tuple(charge for number, charge in record.charges if number == fit))
    session.show(_LEGEND)
    session.show(
        f"Source {printable(record.source)!r}: ε = {spent:.4g} of {record.cap.epsilon:g} spent at δ = {record.cap.delta:g}; "
        f"a further fit may have about ε = {left:.2g}."
    )
    session.finish(
        f"{path.name}: {count(len(charges), 'charge')} of {count(len(fits), 'fit')}",
        data={
            "kind": "ledger",
            "source": record.source,
            "series": record.series,
            "cap": {"epsilon": record.cap.epsilon, "delta": record.cap.delta},
            "epsilon": spent,
            "left": left,
            "charges": [{"fit": fit, **_charge_data(charge)} for fit, charge in record.charges],
        },
    )


def _charge_data(charge: Charge) -> dict[str, object]:
    from tabsynth.privacy.ledger import charge_to_data

    return charge_to_data(charge)


def _show_charges(session: Session, charges: Sequence[Charge]) -> None:
    """Charges of one statistic and noise together, with the number of their releases."""
    if session.json_output or session.quiet:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from tabsynth.privacy.mechanisms import once, releases

    gathered: dict[tuple[str, object], list[Charge]] = {}
    for charge in charges:
        gathered.setdefault((charge.statistic, once(charge.mechanism)), []).append(charge)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("statistic", "mechanism", "releases"):
        shown.add_column(head, no_wrap=head != "mechanism", justify="right" if head == "releases" else "left")
    shown.add_column("columns", overflow="fold")
    for (statistic, _), found in gathered.items():
        names = list(dict.fromkeys(name for charge in found for name in charge.columns))
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        shown.add_row(
            Text(printable(statistic)),
            Text(_brief(found[0].mechanism)),
            f"{sum(releases(charge.mechanism) for charge in found):,}",
            Text(printable(", ".join(names[:_MOST_NAMED]) + more)),
        )
    Console(highlight=False, markup=False).print(shown)


def _brief(mechanism: Mechanism) -> str:
    """One release of a mechanism in few words: "Gaussian σ 31.1, from 180, k 5"."""
    from tabsynth.privacy.mechanisms import (
        Exact,
        Exponential,
        SampledGaussian,
        ThresholdedDiscreteGaussian,
    )

    if isinstance(mechanism, Exact):
        return "exact"
    if isinstance(mechanism, Exponential):
        return f"noisy maximum, ε {mechanism.epsilon:.4g}"
    if isinstance(mechanism, SampledGaussian):
        return f"sums over samples, σ {mechanism.scale:.4g}, q {mechanism.sampling_rate:.4g}"
    words = f"Gaussian σ {mechanism.scale:.4g}"
    if isinstance(mechanism, ThresholdedDiscreteGaussian):
        words += f", from {mechanism.threshold:,}"
    return words if mechanism.sensitivity == 1 else f"{words}, k {mechanism.sensitivity}"
