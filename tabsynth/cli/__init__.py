"""The command line: each command a few lines over the functions below it.

Nothing but Typer and the standard library is imported before a command runs, so that help is quick.
"""

from tabsynth.cli.app import main

__all__ = ["main"]
