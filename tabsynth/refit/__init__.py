"""An engine as a black box: train rows and a seed in, synthetic rows of a stated number out.

Whatever fits an engine again and again sees it through this seam alone: a registered engine, the recipe of a
fitted model, a Python function, or a command that reads a table and writes one. Fits of a private engine draw
fresh noise from the operating system each time. Nothing of them is released, and what is printed is private
output, so they are charged to no ledger.
"""

from tabsynth.refit.box import (
    BlackBox,
    EngineRefit,
    Refit,
    command_box,
    engine_box,
    function_box,
    model_box,
    pipeline_box,
)
from tabsynth.refit.command import FORMATS, TIMEOUT, CommandRefit, command_refit
from tabsynth.refit.function import FunctionRefit, NamedFunction, UserFunction, function_of

__all__ = [
    "FORMATS",
    "TIMEOUT",
    "BlackBox",
    "CommandRefit",
    "EngineRefit",
    "FunctionRefit",
    "NamedFunction",
    "Refit",
    "UserFunction",
    "command_box",
    "command_refit",
    "engine_box",
    "function_box",
    "function_of",
    "model_box",
    "pipeline_box",
]
