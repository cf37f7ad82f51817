"""The command line: each command a few lines over the functions below it.

Nothing but Typer and the standard library is imported before a command runs, so that help is quick.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from tabsynth.cli.app import main as run

        run()
    except KeyboardInterrupt:  # before a command could see to it
        import sys

        print("Error: Interrupted: nothing was written.", file=sys.stderr)
        raise SystemExit(130) from None
