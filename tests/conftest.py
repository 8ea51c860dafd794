"""Every test gives back what it took; commands that several tests look at run once."""

from __future__ import annotations

import contextvars
import gc
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ctxsim import check
from ctxsim.simulation import Outcome

ROOT = Path(__file__).parents[1]
JOIN_S = 2.0
# How long an example takes is the machine's doing; speed is measured in benchmarks/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# What a shell starts in the background ignores Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what shares long commands: of several processes, each takes a stretch of tests."""

    def is_other(item: pytest.Item) -> bool:
        shares = "console" in getattr(item, "fixturenames", ())
        return not (shares and item.get_closest_marker("long"))

    items.sort(key=is_other)


def pushed_contexts() -> list[str]:
    """Which of the runtime's contexts are pushed; none where no test has imported it."""
    runtime = sys.modules.get("ctxsim.runtime")
    if runtime is None:
        return []
    held = {"app": runtime.has_app_context(), "request": runtime.has_request_context()}
    return [name for name, is_pushed in held.items() if is_pushed]


def set_variables() -> set[tuple[str, int]]:
    # By identity, and without those that hold None: that is how a variable is emptied.
    context = contextvars.copy_context()
    return {(each.name, id(value)) for each, value in context.items() if value is not None}


def live_greenlets() -> list[object]:
    """The greenlets that were made since `gc.freeze` and have not ended."""
    module = sys.modules.get("greenlet")
    if module is None:
        return []
    kind = module.greenlet
    found = [each for each in gc.get_objects() if issubclass(type(each), kind)]
    return [each for each in found if each and each.parent is not None]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a context, a context variable, a greenlet or a thread behind."""
    threads, variables = set(threading.enumerate()), set_variables()
    # What is frozen is not listed, so that only the test's own objects are looked through.
    gc.freeze()
    yield
    greenlets = live_greenlets()
    gc.unfreeze()
    new = [each for each in threading.enumerate() if each not in threads]
    for thread in new:
        thread.join(JOIN_S)
    assert not pushed_contexts(), "the test left a context pushed"
    assert set_variables() <= variables, "the test left a context variable set"
    assert not greenlets, "the test left a greenlet that has not ended"
    assert not [each for each in new if each.is_alive()], "the test left a thread running"


@dataclass(frozen=True)
class Ran:
    """What a command printed and ended with; `document` is the result that a run keeps."""

    stdout: str
    stderr: str
    code: int
    document: dict[str, Any]


class Console:
    """Runs the project's own commands in a folder with its scenarios, each once in a session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "scenarios").symlink_to(ROOT / "scenarios")
        self._ran: dict[str, Ran] = {}

    def run(self, line: str) -> Ran:
        """Run `ctxsim ...` or `python ...`; what another test ran already is not run again."""
        if line not in self._ran:
            self._ran[line] = self._run(line)
        return self._ran[line]

    def _run(self, line: str) -> Ran:
        program, *words = shlex.split(line)
        assert program in ("ctxsim", "python"), f"not a command of the project: {line}"
        kept = self.folder / ".ctxsim" / "last.json"
        kept.unlink(missing_ok=True)
        ended = subprocess.run(
            [sys.executable, *(["-m", "ctxsim"] if program == "ctxsim" else []), *words],
            cwd=self.folder,
            # The interpreter of an active environment would run the scenarios' applications.
            env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
            capture_output=True,
            text=True,
            check=False,
        )
        document = json.loads(kept.read_text()) if kept.exists() else {}
        return Ran(ended.stdout, ended.stderr, ended.returncode, document)


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    return Console(tmp_path_factory.mktemp("console"))


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Checks an application by its source, on the calling thread unless told otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    def check_text(text: str, target: str = "checked", **keys: Any) -> Outcome:
        Path("checked.py").write_text(text)
        return check(target, **{"requests": 200, "workers": ["sync"], "seed": 3, **keys})

    return check_text
