"""`draw`: the network of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tabsynth.cli.options import DebugOption, JsonOption, OverwriteOption, QuietOption
from tabsynth.cli.session import Session


def draw(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The drawing: .html or .svg.")],
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw which columns a model joins, and how strongly.

    For models with a network (bayesian_network). The file stands alone and is as private as the model.
    """
    with Session(command="draw", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import require_free
        from tabsynth.models.registry import explicit
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.report.network import require_drawable

        require_drawable(out)
        require_free(out, inputs=(model,), overwrite=overwrite)
        pipeline = FittedPipeline.load(model)
        edges = explicit(pipeline.model, pipeline.engine.name, what="a drawing of its network").edges()
        pipeline.draw(out, overwrite=overwrite)
        n_columns = len(pipeline.model.variables)
        session.show(pipeline.guarantee)
        session.finish(
            f"Drew {n_columns} columns and {len(edges)} edges",
            data={
                "columns": n_columns,
                "guarantee": pipeline.guarantee,
                "edges": [
                    {
                        "columns": list(edge.columns),
                        "share": edge.share,
                        "nats": edge.information,
                        "near_function": edge.is_function,
                    }
                    for edge in edges
                ],
            },
            files={out: "the drawing"},
        )
