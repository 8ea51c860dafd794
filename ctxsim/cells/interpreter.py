"""Which Python a cell runs on: asked once what it is, and lent gevent where it has none."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from ctxsim.cell.plan import Plan
from ctxsim.cells.job import Job
from ctxsim.errors import TargetError

OLDEST = (3, 11)

# What gevent needs: `zope` is a namespace that other packages share, of which some may be there.
_OF_ZOPE = ("zope.event", "zope.interface")
_LENT = ("gevent", "greenlet", *_OF_ZOPE)

_ASK_LIMIT_S = 60

# The version is printed before anything that an old interpreter might not have.
_QUESTION = f"""
import sys
print(".".join(map(str, sys.version_info[:3])))
sys.stdout.flush()
import importlib.util, json
sys.path[:] = [each for each in sys.path if each]
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
importable = [each for each in {list(_LENT)!r} if there(each)]
print(json.dumps([sys.implementation.cache_tag + sys.abiflags, importable]))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a Python says of itself. Interpreters of one `build` can share compiled packages."""

    version: str
    build: str
    importable: frozenset[str]


@functools.cache
def interpreter(python: str) -> Interpreter:
    """Ask `python` what it is; raises TargetError if it cannot carry a cell."""
    try:
        asked = subprocess.run(
            [python, "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ASK_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(
            f"cannot start the interpreter {python}: {_reason(error)}\n"
            "  target.python, or --python, names the application's own: ./.venv/bin/python"
        ) from error
    return _read(python, asked.stdout.splitlines(), asked.stderr)


def _reason(error: OSError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"no answer within {_ASK_LIMIT_S} s"


def _read(python: str, lines: list[str], stderr: str) -> Interpreter:
    version = lines[0] if lines else ""
    if not version.replace(".", "").isdigit():
        said = (stderr.strip().splitlines() or lines or ["nothing"])[-1]
        raise TargetError(f"{python} is no Python interpreter; it said: {said[:200]}")
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        raise TargetError(
            f"{python} is Python {version}; a cell needs Python 3.11 or later\n"
            "  name a later one in target.python, or with --python"
        )
    if len(lines) == 1:
        raise TargetError(f"{python} failed when asked what it can import: {stderr.strip()[-300:]}")
    build, importable = json.loads(lines[-1])
    return Interpreter(version, build, frozenset(importable))


def equip(job: Job) -> Job:
    """Lend gevent or greenlet where the cell needs it and the interpreter has none.

    Other cells must not see it: libraries behave otherwise where greenlet can be imported. Raises
    TargetError.
    """
    theirs = interpreter(job.python)
    needed = _needed(job.plan)
    missing = tuple(each for each in needed if each not in theirs.importable)
    if not set(missing).difference(_OF_ZOPE):
        return job
    if theirs.build != sys.implementation.cache_tag + sys.abiflags:
        who = "a controlled schedule" if job.plan.search else job.plan.workers.word
        raise TargetError(
            f"{who} needs {needed[0]}, which {job.python} cannot import\n"
            f"  ctxsim's own is built for another Python than {theirs.version}: "
            f"install {needed[0]} there, or leave that out"
        )
    return replace(job, plan=replace(job.plan, lent=missing, lent_from=_folder_of_ours()))


def _needed(plan: Plan) -> tuple[str, ...]:
    if plan.workers.needs_gevent:
        return _LENT
    return ("greenlet",) if plan.search is not None else ()


def _folder_of_ours() -> str:
    spec = importlib.util.find_spec("gevent")
    if spec is None or spec.origin is None:
        raise TargetError("gevent is missing beside ctxsim: install ctxsim again")
    return str(Path(spec.origin).parent.parent)
