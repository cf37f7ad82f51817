"""The engines: their recipes, and all of them by name.

    tabsynth.fit(frame, engine=tabsynth.engines.GaussianCopula(min_group=20), privacy=tabsynth.NO_PRIVACY)

Their pages in the documentation say what each setting does.
"""

from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.independent import Independent
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINES, default_settings, make_engine, settings_of

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "GaussianCopula",
    "Independent",
    "default_settings",
    "make_engine",
    "settings_of",
]
