"""The engines: their recipes, and all of them by name.

    tabsynth.fit(frame, engine=tabsynth.engines.BayesianNetwork(coarse_cells=16))

Their pages in the documentation say what each setting does.
"""

from tabsynth.models.auto import Auto
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.ctgan import Ctgan
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.independent import Independent
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINES, default_settings, make_engine, settings_of
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.models.smote import Smote
from tabsynth.models.tvae import Tvae

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "Auto",
    "BayesianNetwork",
    "Ctgan",
    "DpCtgan",
    "GaussianCopula",
    "Independent",
    "SequentialTrees",
    "Smote",
    "Tvae",
    "default_settings",
    "make_engine",
    "settings_of",
]
