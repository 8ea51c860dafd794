"""A schedule of lines that was recorded on one version of Python replays on the others."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from races import LINES, RACES
from searching import Trial

import ctxsim
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.tracing import tracing

ROOT = Path(ctxsim.__file__).parents[1]
PROGRAM = Path(__file__).with_name("races.py")
VERSIONS = [(3, 11), (3, 12), (3, 13)]
TIMEOUT_S = 60


@functools.cache
def interpreter(version: tuple[int, int]) -> str | None:
    """One of that version that has greenlet: this one, one of the Makefile's, or one of PATH."""
    if sys.version_info[:2] == version:
        return sys.executable
    name = f"{version[0]}.{version[1]}"
    found = [str(ROOT / f".venv-{name}" / "bin" / "python"), shutil.which(f"python{name}")]
    return next((each for each in found if each is not None and has_greenlet(each)), None)


def has_greenlet(program: str) -> bool:
    try:
        ended = subprocess.run([program, "-c", "import greenlet"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return ended.returncode == 0


@functools.cache
def recorded(race: str) -> str:
    with StandIns(), tracing(LINES) as tracer:
        execution, _ = Trial(Lockstep(tracer), *RACES[race]).first(100)
    return json.dumps(execution.schedule.as_json())


@pytest.mark.parametrize("version", VERSIONS, ids=str)
@pytest.mark.parametrize("race", RACES)
def test_a_schedule_of_lines_replays_on_the_other_versions(race, version):
    program = interpreter(version)
    if program is None:
        pytest.skip(f"no Python {version} with greenlet: make test makes one in a VENV of its own")
    ended = subprocess.run(
        [program, PROGRAM, race],
        input=recorded(race),
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"python": list(version), "shown": 100}
