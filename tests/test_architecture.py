"""The map is true: folders, imports, what `import ctxsim` brings, and what is public."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsim

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "architecture.md").read_text().partition("```\n")[2].partition("```")[0]
IGNORED = {"__pycache__", "__init__.py", "py.typed"}

PUBLIC = {
    "__version__",
    "Scenario",
    "simulate",
    "check",
    "Outcome",
    "pause",
    "switchpoint",
    "runtime",
    "CtxsimError",
    "UsageError",
    "ScenarioError",
    "TargetError",
    "InterruptedRun",
    "OutsideContextError",
    "ContextOrderError",
}

IMPORTING = """
import json, socket, sys, threading, time
before = set(sys.modules)
originals = socket.socket, threading.Thread, threading.local, time.sleep
import ctxsim
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({
    "foreign": sorted(new - set(sys.stdlib_module_names) - {"ctxsim"}),
    "patched": originals != (socket.socket, threading.Thread, threading.local, time.sleep),
    "threads": threading.active_count(),
}))
"""


def words_of_the_map() -> set[str]:
    return set(MAP.replace(";", " ").replace("/", "/ ").split())


@pytest.mark.parametrize("folder", ["ctxsim", "ctxsim/cell"])
def test_the_map_names_every_part(folder: str) -> None:
    known = words_of_the_map()
    for path in sorted((ROOT / folder).iterdir()):
        if path.name not in IGNORED:
            assert f"{path.name}/" in known if path.is_dir() else path.name in known, path.name


def test_the_map_names_nothing_that_is_not_there() -> None:
    named = {word for word in words_of_the_map() if word.endswith((".py", "/"))}
    paths = [*ROOT.iterdir(), *(ROOT / "ctxsim").rglob("*")]
    there = {path.name + "/" * path.is_dir() for path in paths}
    assert named <= there


def test_the_map_is_at_most_one_page() -> None:
    assert len((ROOT / "docs" / "architecture.md").read_text().splitlines()) <= 60


def test_imports_go_downward_only() -> None:
    """The contracts of import-linter, where that is installed: it comes with the lint tools."""
    pytest.importorskip("importlinter", reason="import-linter is missing: pip install '.[lint]'")
    program = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_importing_ctxsim_needs_the_standard_library_alone_and_patches_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", IMPORTING], capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout) == {"foreign": [], "patched": False, "threads": 1}


def test_a_run_imports_nothing_that_only_reports_need() -> None:
    code = "import sys, ctxsim.cli.running; print({'jinja2', 'junitparser'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


def test_the_public_names_are_these() -> None:
    assert set(ctxsim.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ctxsim, name) is not None
