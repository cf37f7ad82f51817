"""`python -m tabsynth`: the same as the command `tabsynth`."""

from tabsynth.cli import main

main()
