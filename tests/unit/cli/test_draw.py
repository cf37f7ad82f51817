"""`tabsynth draw`."""

from pathlib import Path

import pytest

from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY
from tests.end_to_end.commands import stays, tabsynth_here


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each sort."""
    folder = tmp_path_factory.mktemp("models")
    frame = stays().select("age", "a=b", "died 🪦")
    for engine in ("bayesian_network", "independent"):
        fit(frame, engine=engine, privacy=NO_PRIVACY).save(folder / engine)
    return folder


@pytest.mark.parametrize("name", ["network.html", "network.svg"])
def test_a_drawing_is_written_and_the_guarantee_said(models: Path, name: str) -> None:
    done = tabsynth_here("draw", "bayesian_network", "--out", name, cwd=models)
    assert done.code == 0
    assert "Not anonymous" in done.out
    assert "Drew 3 columns and" in done.out
    assert "a=b" in (models / name).read_text(encoding="utf-8")
    again = tabsynth_here("draw", "bayesian_network", "--out", name, cwd=models)
    assert again.code == 2
    assert "exists already" in again.err
    assert tabsynth_here("draw", "bayesian_network", "--out", name, "--overwrite", cwd=models).code == 0


def test_json_lists_every_edge(models: Path) -> None:
    done = tabsynth_here("draw", "bayesian_network", "--out", "j.svg", "--json", cwd=models)
    found = done.json
    assert found["columns"] == 3
    assert all(set(edge) == {"columns", "share", "nats", "near_function"} for edge in found["edges"])
    assert found["files"] == ["j.svg"]


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (("bayesian_network", "--out", "n.png"), "ending in .html or .svg"),
        (("independent", "--out", "n.html"), "engines that can: bayesian_network"),
        (("nowhere", "--out", "n.html"), "nowhere"),
    ],
)
def test_what_cannot_be_drawn_ends_with_code_2_and_leaves_nothing(
    models: Path, args: tuple[str, ...], fault: str
) -> None:
    done = tabsynth_here("draw", *args, cwd=models)
    assert done.code == 2
    assert fault in done.err
    assert not (models / args[-1]).exists()
