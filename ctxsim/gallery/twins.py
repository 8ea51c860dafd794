"""The two twins of an entry as scenarios, and whether what was found is what is declared."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ctxsim.cell.checks import TITLES
from ctxsim.gallery.entry import Entry
from ctxsim.gallery.environments import environment, is_made, python_for
from ctxsim.gallery.services import SERVICES
from ctxsim.scenario import Scenario
from ctxsim.scenario.model import Expectation


@dataclass(frozen=True, slots=True)
class Place:
    """Where a twin runs: its interpreter, and variables that lead to what it needs."""

    python: str
    env: tuple[tuple[str, str], ...] = ()


def installs(entry: Entry, *, fixed: bool) -> bool:
    """Whether packages have to be installed before this twin can run."""
    pins = entry.pins(fixed=fixed)
    return bool(pins) and not is_made(python_for(entry.python), pins)


@contextmanager
def place(entry: Entry, *, fixed: bool) -> Iterator[Place]:
    """Make what a twin needs: its environment, which is kept, and servers, which are ended.

    Raises EntryUnavailableError where that cannot be had here.
    """
    pins = entry.pins(fixed=fixed)
    base = python_for(entry.python)
    python = str(environment(base, pins)) if pins or base != sys.executable else sys.executable
    with ExitStack() as stack:
        env = [stack.enter_context(SERVICES[need]()) for need in entry.needs]
        yield Place(python, tuple(env))


def twin(entry: Entry, where: Place, *, fixed: bool, workers: Sequence[str] = ()) -> Scenario:
    """The scenario of one twin, in all cells that the entry declares or in those of `workers`.

    The leaky one looks for no code that merely may appear; the fixed one looks for all.
    """
    written = Scenario.load(entry.folder / "scenario.yaml")
    words = tuple(workers) or entry.cells
    python = where.python if written.target.start is None else None
    ready = written.with_options(python=python, workers=words)
    env = {**ready.target.env, **dict(where.env)}
    meant = _meant(entry, ready, where, fixed=fixed)
    target = ready.target.model_copy(update={**meant, "env": env})
    checks = ("all",) if fixed else tuple(code for code in TITLES if code not in entry.also)
    changed = {
        "name": f"{entry.name} (fixed)" if fixed else entry.name,
        "target": target,
        "checks": checks,
        "expect": Expectation(cells={f"*/{w}": expected(entry, w, fixed=fixed) for w in words}),
    }
    return ready.model_copy(update=changed)


def is_server(entry: Entry) -> bool:
    """Whether an entry's twins are no applications, but servers that are started."""
    return Scenario.load(entry.folder / "scenario.yaml").target.start is not None


def _meant(entry: Entry, written: Scenario, where: Place, *, fixed: bool) -> dict[str, str]:
    """Which of the two is meant: as an application, or in the command that starts a server."""
    if written.target.start is None:
        return {"app": _app(entry, fixed=fixed)}
    _, *words = written.target.start.split()
    file = _app(entry, fixed=fixed).partition(":")[0]
    return {"start": shlex.join([where.python, *(w.replace("leaky.py", file) for w in words)])}


def _app(entry: Entry, *, fixed: bool) -> str:
    # One `app.py` for both where only the packages differ.
    single = (entry.folder / "app.py").exists()
    return f"{'app' if single else 'fixed' if fixed else 'leaky'}.py:app"


def expected(entry: Entry, word: str, *, fixed: bool) -> tuple[str, ...]:
    """What the cell of these workers is to find; others than declared count as where it shows."""
    return () if fixed or word in entry.clean else entry.codes


@dataclass(frozen=True, slots=True)
class Judgement:
    """One twin beside what is declared of it: sentences for each difference."""

    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differences


def judged(entry: Entry, found: Mapping[str, Collection[str]], *, fixed: bool) -> Judgement:
    """Hold the codes that were found, by workers' words, against what the entry declares."""
    return Judgement(tuple(_differences(entry, found, fixed=fixed)))


def _differences(
    entry: Entry, found: Mapping[str, Collection[str]], *, fixed: bool
) -> Iterator[str]:
    for word, codes in found.items():
        wanted = set(expected(entry, word, fixed=fixed))
        allowed = wanted | set(entry.also) if wanted else wanted
        if missing := sorted(wanted - set(codes)):
            yield f"{' '.join(missing)} not found with {word}"
        if more := sorted(set(codes) - allowed):
            yield f"{' '.join(more)} found with {word}"
