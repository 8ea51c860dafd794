"""What is lent to an environment that lacks it, and to one that has a part of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(tmp_path: Path, folder: Path, lent: str, *names: str) -> list[str]:
    """Which of `names` an interpreter without any packages but `folder` imports, and from where."""
    ours = tmp_path / "ours"
    for part in ("event", "interface"):
        (ours / "zope" / part).mkdir(parents=True)
        (ours / "zope" / part / "__init__.py").write_text("")
    code = f"""
import sys
sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]
from ctxsim.cell.lending import lend
lend({lent.split()!r}, {str(ours)!r})
import importlib
for name in {names!r}:
    try:
        print(importlib.import_module(name).__file__)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return [line.removeprefix(f"{tmp_path}/") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_part_of_a_namespace_is_lent_beside_the_parts_that_are_there(tmp_path, is_there):
    theirs = tmp_path / "theirs"
    (theirs / "zope").mkdir(parents=True)
    (theirs / "zope" / "interface.py").write_text("")
    lent = "zope.event" if is_there else "zope.event zope.interface"
    folder = theirs if is_there else tmp_path / "nothing"
    interface, event = imported(tmp_path, folder, lent, "zope.interface", "zope.event")
    expected = "theirs/zope/interface.py" if is_there else "ours/zope/interface/__init__.py"
    assert interface == expected
    assert event == "ours/zope/event/__init__.py"
