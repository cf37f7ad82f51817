"""`clean`: what private things runs left on this disk, and to be rid of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.options import DebugOption, JsonOption, QuietOption
from tabsynth.cli.session import Session, printable
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.config.residue import Residue


def clean(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Where to look; here unless said.")
    ] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete what is found, once you have confirmed it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --purge: do not ask.")] = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """List the private files that tabsynth left: real rows, drafts, internal reports, audits, checkpoints.

    Nothing is deleted without --purge. Your own tables, ledgers, keys and catalogues are never listed.
    """
    with Session(command="clean", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.residue import purge as delete
        from tabsynth.config.residue import residue_in

        if yes and not purge:
            raise UsageError("--yes answers what --purge asks: give both")
        chosen = folders or [Path()]
        found = residue_in(chosen)
        for each in found:
            session.show(f"{_size(each.n_bytes):>9}  {printable(each.what)}: {printable(_short(each.path))}")
        if found:
            session.show("")
        for what, n in Counter(each.what for each in found).most_common():
            session.show(f"{n:>9}  {what}")
        total = f"{count(len(found), 'private file')}, {_size(sum(each.n_bytes for each in found))}"
        n_gone = 0
        if purge and found:
            _confirm(total, is_sure=yes, session=session)
            n_gone = delete(found, keep=chosen)
        session.finish(
            f"Deleted {count(n_gone, 'file')}" if n_gone else f"Found {total}; nothing was deleted",
            data={"found": _data(found), "deleted": n_gone},
            next_steps=[] if n_gone or not found else [["tabsynth", "clean", *chosen, "--purge"]],
        )


def _confirm(total: str, *, is_sure: bool, session: Session) -> None:
    """Ask whether to delete; `UsageError` for any answer but yes, and where nobody can be asked."""
    if is_sure:
        return
    if session.json_output or session.quiet:
        raise UsageError("nobody can be asked here: give --yes to delete without a question")
    if str(typer.prompt(f"Delete {total}, for good? Type yes", default="no", err=True)).strip() != "yes":
        raise UsageError("nothing was deleted")


def _data(found: Sequence[Residue]) -> list[dict[str, object]]:
    return [{"path": str(each.path), "what": each.what, "bytes": each.n_bytes} for each in found]


def _short(path: Path) -> str:
    """As seen from here where it lies below, in full elsewhere."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _size(n_bytes: int) -> str:
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:,.0f} {unit}"
        n_bytes //= 1000
    return f"{n_bytes:,} GB"
