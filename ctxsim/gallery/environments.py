"""Virtual environments for entries that need packages of their own: made once, kept, reused."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ctxsim.errors import EntryUnavailableError

_MAKING_S = 600


def cache_folder() -> Path:
    """Where environments are kept: below $XDG_CACHE_HOME, or ~/.cache."""
    said = os.environ.get("XDG_CACHE_HOME")
    return Path(said) if said else Path.home() / ".cache"


def python_for(latest: str | None) -> str:
    """An interpreter that is not later than `latest`: ctxsim's own, or one from PATH.

    Raises EntryUnavailableError where there is none.
    """
    if latest is None or sys.version_info[:2] <= tuple(map(int, latest.split("."))):
        return sys.executable
    found = shutil.which(f"python{latest}")
    if found is None or not _starts(found):
        raise EntryUnavailableError(
            f"python{latest} is missing: it needs Python {latest}, "
            f"and this is {sys.version_info.major}.{sys.version_info.minor}"
        )
    return found


def _starts(python: str) -> bool:
    # A version manager's stand-in is on PATH for versions that are not installed, and then fails.
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def environment(base: str, pins: Sequence[str]) -> Path:
    """The interpreter of an environment of `base` that holds `pins`; made if it is not there yet.

    Raises EntryUnavailableError where pip cannot install them.
    """
    python = _place(base, pins)
    folder = python.parents[1]
    if python.is_file():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not python.is_file():
            _make(base, pins, folder)
    return python


def is_made(base: str, pins: Sequence[str]) -> bool:
    """Whether that environment is there already."""
    return _place(base, pins).is_file()


def _place(base: str, pins: Sequence[str]) -> Path:
    return cache_folder() / "ctxsim" / "gallery" / _digest(base, pins) / "bin" / "python"


def _digest(base: str, pins: Sequence[str]) -> str:
    identity = "\n".join([os.path.realpath(base), *sorted(pins)])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    # A lock of the system's goes with its process, however that ends.
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _make(base: str, pins: Sequence[str], folder: Path) -> None:
    # Whatever is at the final place is whole: it is built beside it and renamed.
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as building:
        built = Path(building, "env")
        _run([base, "-m", "venv", str(built)], "no virtual environment could be made")
        if pins:
            pip = [str(built / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            _run([*pip, "install", "--quiet", *pins], f"pip could not install {' '.join(pins)}")
        shutil.rmtree(folder, ignore_errors=True)
        built.rename(folder)


def _run(command: Sequence[str], failed: str) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=_MAKING_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise EntryUnavailableError(f"{failed}: not done within {_MAKING_S} s") from error
    except OSError as error:
        raise EntryUnavailableError(f"{failed}: {error.strerror}") from error
    if ended.returncode:
        raise EntryUnavailableError(f"{failed}: {_reason(ended.stderr or ended.stdout)}")


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("ERROR: ")
