"""Every Python and shell block of the README and the docs runs, page by page, in a folder of its own.

The tutorial runs first, in an empty folder. Every other page starts from a copy of the folder that the
tutorial leaves behind (its table, schema, model, rows and report), as its reader does. Blocks of one page
share that page's folder and Python names.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

from tests.end_to_end.doc_blocks import Block, blocks_of

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs/tutorial/first-table.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNNABLE = ("python", "bash")
DATA = Path(os.environ.get("TABSYNTH_DATA", ROOT.parent / "shared" / "data"))
REAL_TABLES = (DATA / "german_credit" / "german_credit.csv.gz",)
"""Tables that a page works on and the repository does not hold: laid into its folder where they are at hand."""
REASONS = ("installs", "needs the demo's data", "checks the whole project", "takes a minute")


def run_page(page: Path, folder: Path) -> list[str]:
    """Run a page's blocks in `folder`; gives back the modules that blocks needed and did not find."""
    module = types.ModuleType("docs_page")
    sys.modules[module.__name__] = module
    missing, printed = [], None
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in blocks_of(page):
            if block.language in RUNNABLE and "no-run" not in block.marks:
                needs = block.marks.get("needs")
                if needs and not is_here(needs):
                    missing.append(needs)
                    printed = None
                    continue
                printed = run_python(block, module) if block.language == "python" else run_in_turn(block)
            elif "output" in block.marks and printed is not None:
                assert re.fullmatch(pattern_of(block.code), plain(printed)), (
                    f"{block.where}: what is shown is not what is printed:\n{printed}"
                )
    finally:
        os.chdir(before)
        del sys.modules[module.__name__]
    return missing


def is_here(needs: str) -> bool:
    """Whether a module is installed, or a file lies in the page's folder."""
    return Path(needs).is_file() if "." in needs else importlib.util.find_spec(needs) is not None


def run_python(block: Block, module: types.ModuleType) -> str:
    """Run a block in the page's module, as if the page were one file; gives what it prints."""
    text = io.StringIO()
    source = "\n" * block.line + block.code
    with contextlib.redirect_stdout(text):
        exec(compile(source, str(block.page), "exec", dont_inherit=True), module.__dict__)
    return text.getvalue()


def run_in_turn(block: Block) -> str:
    """Run a shell block, as often as its mark `tries` says, each time in the folder as the first one found it.

    What may fail by chance in at most 5 % of runs fails three times in at most 1 of 8,000.
    """
    folder = Path.cwd()
    with tempfile.TemporaryDirectory() as spare:
        shutil.copytree(folder, spare, dirs_exist_ok=True)
        for _ in range(int(block.marks.get("tries", "1")) - 1):
            with contextlib.suppress(AssertionError):
                return run_bash(block)
            shutil.rmtree(folder)
            shutil.copytree(spare, folder)
            os.chdir(folder)
    return run_bash(block)


def run_bash(block: Block) -> str:
    """Run a block with the environment's commands on the path; gives standard output."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    wanted = int(block.marks.get("exit", "0"))
    assert done.returncode == wanted, (
        f"{block.where}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done.stdout + (done.stderr if wanted else "")


def plain(text: str) -> str:
    """The text with every run of white space as one space, so that the width of a terminal is no matter."""
    return " ".join(text.split())


def pattern_of(shown: str) -> re.Pattern[str]:
    """What an output block says: itself, with `…` for anything."""
    return re.compile(".*".join(re.escape(part) for part in plain(shown).split("…")), flags=re.DOTALL)


@pytest.fixture(scope="session")
def tutorial_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as the tutorial leaves it."""
    folder = tmp_path_factory.mktemp("tutorial")
    run_page(TUTORIAL, folder)
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_run(page: Path, tutorial_folder: Path, tmp_path: Path):
    if page == TUTORIAL:
        return  # the fixture has run it
    if not any(block.language in RUNNABLE for block in blocks_of(page)):
        return
    folder = tmp_path / "page"
    shutil.copytree(tutorial_folder, folder)
    for table in filter(Path.is_file, REAL_TABLES):
        shutil.copy(table, folder)
    missing = run_page(page, folder)
    if missing:
        pytest.skip(f"blocks of this page need {', '.join(dict.fromkeys(missing))}, which is not here")


def test_blocks_left_out_are_few_and_say_why():
    blocks = [block for page in PAGES for block in blocks_of(page) if block.language in RUNNABLE]
    exempt = [block for block in blocks if "no-run" in block.marks]
    for block in exempt:
        assert block.marks["no-run"] in REASONS, (
            f"{block.where}: a block may be left out only because it {REASONS}"
        )
    assert len(exempt) <= 8
    assert len(blocks) >= 4 * len(exempt)


def test_no_runnable_block_escapes():
    for page in PAGES:
        for block in blocks_of(page):
            assert not block.indented, (
                f"{block.where}: blocks stand at the margin, so that they are found and run"
            )
            assert block.language in (*RUNNABLE, "text", "yaml", "json", "toml"), (
                f"{block.where}: {block.language!r}"
            )


def test_what_is_shown_is_compared_with_what_is_printed():
    shown = pattern_of("Fitted 10 rows (…)\n  model   the model\n")
    assert re.fullmatch(shown, plain("Fitted 10 rows (0.3 s)\n model  the model"))
    assert not re.fullmatch(shown, plain("Fitted 11 rows (0.3 s)\n model  the model"))
    assert not re.fullmatch(shown, plain("Fitted 10 rows (0.3 s)\n model  the model\nmore"))


def test_a_block_is_begun_again_in_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "kept").write_text("as it was")
    monkeypatch.chdir(folder)
    counter = tmp_path / "counter"
    page = tmp_path / "page.md"

    def block(tries: int) -> Block:
        page.write_text(
            f"<!-- tries: {tries} -->\n```bash\necho . >> {counter}; test ! -e new; touch new; cat kept\n"
            f"echo changed > kept; test $(wc -l < {counter}) -ge 3\n```\n",
            encoding="utf-8",
        )
        return blocks_of(page)[0]

    with pytest.raises(AssertionError, match="exit code 1"):
        run_in_turn(block(2))
    assert counter.read_text() == ".\n.\n"
    (folder / "kept").write_text("as it was")
    (folder / "new").unlink()
    counter.write_text(".\n")
    assert run_in_turn(block(2)) == "as it was"


def test_marks_belong_to_the_next_block_alone(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("<!-- exit: 2 -->\n```bash\nfalse\n```\n\n```bash\ntrue\n```\n", encoding="utf-8")
    assert [block.marks for block in blocks_of(page)] == [{"exit": "2"}, {}]
