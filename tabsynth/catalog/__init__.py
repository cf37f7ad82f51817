"""The catalogue: what was released, from which source, to whom, until when, and what it cost together."""

from tabsynth.catalog.budget import Composed
from tabsynth.catalog.diff import Difference, diff_releases
from tabsynth.catalog.entry import Release, TableEntry
from tabsynth.catalog.store import Catalog, open_catalog

__all__ = ["Catalog", "Composed", "Difference", "Release", "TableEntry", "diff_releases", "open_catalog"]
