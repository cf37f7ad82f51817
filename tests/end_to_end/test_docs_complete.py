"""The reference pages name everything that the code has: no command, option, key, setting or figure is missing."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from tabsynth import errors
from tabsynth.cli import app as cli
from tabsynth.cli import session
from tabsynth.config.document import run_config_json_schema
from tabsynth.fake import pools
from tabsynth.metrics import fidelity_pairs
from tabsynth.metrics.registry import all_infos
from tabsynth.models import correlation, empirical, ordering, stratified, truncated_normal
from tabsynth.models.base import BLOCK_ROWS
from tabsynth.models.registry import ENGINES, default_settings
from tabsynth.release.document import policy_json_schema
from tabsynth.release.files import default_policy, policy_from_text
from tabsynth.schema import json_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands(command: click.Command, path: str) -> dict[str, click.Command]:
    """Every command that does something, by its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        return {path: command}
    return {
        name: found
        for key, child in children.items()
        for name, found in commands(child, f"{path} {key}").items()
    }


def test_command_line_page_names_every_command_and_option():
    text = page("reference/cli.md")
    shared = text.partition("## ")[0]
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    found = commands(typer.main.get_command(cli.app), "tabsynth")
    assert set(sections) == set(found)
    for name, command in found.items():
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--"):
                    assert option in sections[name] or option in shared, f"{name} {option}"


@pytest.mark.parametrize("document", ["schema", "run", "policy"])
def test_file_pages_name_every_key(document: str):
    text = page(f"reference/{document}-file.md")
    makers = {"schema": json_schema, "run": run_config_json_schema, "policy": policy_json_schema}
    whole = makers[document]()
    models = {
        name: model
        for name, model in whole["$defs"].items()
        if document == "schema" or not name.startswith("Schema")
    }
    keys = {key for model in (whole, *models.values()) for key in model.get("properties", {})}
    missing = [key for key in sorted(keys) if f"`{key}`" not in text]
    assert missing == []


def test_schema_page_shows_a_schema_that_can_be_read():
    from tabsynth.schema import schema_from_yaml

    block = re.search(r"```yaml\n(.*?)```", page("reference/schema-file.md"), flags=re.DOTALL)
    table = schema_from_yaml(block[1]).only_table
    assert table.name == "patients"
    assert table["age"].special_values == (-1,)


def test_run_page_shows_keys_that_are_known():
    block = re.search(r"```yaml\n(.*?)```", page("reference/run-file.md"), flags=re.DOTALL)
    assert set(yaml.safe_load(block[1])) <= set(run_config_json_schema()["properties"])


def test_policy_page_shows_a_policy_that_can_be_read():
    block = re.search(r"```yaml\n(.*?)```", page("reference/policy-file.md"), flags=re.DOTALL)
    shown = policy_from_text(block[1], where="the page").audience("outsiders")
    assert shown == default_policy().audience("outsiders")


def test_every_engine_has_a_page_that_names_its_settings():
    assert {path.stem for path in (DOCS / "reference/engines").glob("*.md")} == set(ENGINES)
    for name in ENGINES:
        text = page(f"reference/engines/{name}.md")
        for setting, default in default_settings(name).items():
            assert re.search(rf"\| `{setting}` \| `?{default}`? \|", text), f"{name}: {setting}"


def test_every_figure_is_explained():
    text = page("explanation/figures.md")
    missing = [info.name for info in all_infos() if f"`{info.name}`" not in text]
    assert missing == []


def test_every_exit_code_is_listed():
    codes = (
        session.DONE,
        session.FAILED,
        session.BAD_INPUT,
        session.DENIED,
        session.INCONCLUSIVE,
        session.INTERRUPTED,
    )
    listed = [
        int(code) for code in re.findall(r"^\| (\d+) \|", page("reference/exit-codes.md"), flags=re.MULTILINE)
    ]
    assert listed == list(codes)


def test_the_tree_of_errors_is_complete():
    classes = {
        name
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.TabsynthError)
    }
    assert all(name in errors.__doc__ for name in classes)


def test_readme_holds_one_test_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test-command -->(.*?)<!-- /test-command -->", text, flags=re.DOTALL)[1]
    lines = [line for line in block.splitlines() if line and not line.startswith(("<!--", "```"))]
    assert len(lines) == 1
    assert lines[0].endswith("-m pytest")


def test_numbers_stated_in_the_explanation_are_those_of_the_code():
    copula, threat = page("explanation/gaussian-copula.md"), page("explanation/threat-model.md")
    stated = {
        f"({empirical.MIN_GROUP} unless you say otherwise": copula,
        f"fewer than {empirical.MIN_GROUP} rows share": threat,
        f"k = 1 … {correlation.N_TERMS}": copula,
        f"within ±{correlation.MAX_CORRELATION}": copula,
        f"in blocks of {BLOCK_ROWS:,}": copula,
        f"in {truncated_normal.N_SWEEPS} sweeps": copula,
        f"At most {ordering._MAX_ROWS:,} rows": copula,
        f"{100 * empirical._TAIL_QUANTILES[-1]:.1f} % quantile": copula,
        f"fewer than {stratified._FEW} rows are drawn": copula,
        f"pool of {pools.SIZE:,} names": page("explanation/surrogates.md"),
        f"at most {fidelity_pairs.MAX_TRIPLES} random triples": page("explanation/figures.md"),
    }
    missing = [text for text, where in stated.items() if text not in " ".join(where.split())]
    assert missing == []


def test_layers_shown_are_those_that_the_linter_holds():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    shown = "\n".join(layer.replace("tabsynth.", "") for layer in layers)
    assert f"```text\n{shown}\n```" in page("decisions/0001-layout-and-layers.md")


def test_every_library_adopted_is_in_the_decision():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *settings["dependencies"],
        *(line for lines in settings["optional-dependencies"].values() for line in lines),
    ]
    names = {re.match(r"[A-Za-z0-9_-]+", line)[0].lower() for line in wanted} - {"tabsynth"}
    text = page("decisions/0002-libraries.md").lower()
    assert sorted(name for name in names if name not in text) == []


def test_measured_figures_of_the_readme_are_those_of_the_results():
    found = json.loads((ROOT / "benchmarks/results/adult_half.json").read_text(encoding="utf-8"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, label in (
        ("gaussian_copula", "`gaussian_copula`"),
        ("sdv GaussianCopula", "SDV 2.0.0 GaussianCopula"),
    ):
        score, seconds = found[name]["score"], min(sum(times) for times in found[name]["times"])
        figures = [
            f"{score['shape_err']:.2f} %",
            f"{score['trend_err']:.2f} %",
            f"{score['c2st']:.3f}",
            f"{score['tstr']:.3f}",
        ]
        assert f"| {label} | {seconds:.2f} s | {' | '.join(figures)} |" in text
    floor = found["gaussian_copula"]["score"]
    assert f"| {floor['shape_err_holdout']:.2f} % | {floor['trend_err_holdout']:.2f} % |" in text
