"""What `ctxsim check` says of the gallery: of each entry's two applications, with no scenario."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ctxsim.cell.plan import Workers
from ctxsim.checking import check
from ctxsim.cli.streams import complain, result
from ctxsim.errors import CtxsimError
from ctxsim.gallery import Entry, is_server, place, twin
from ctxsim.scenario.drafting import ASGI_WORKERS, WSGI_WORKERS
from ctxsim.simulation import Outcome

_BUDGET_S = 20.0
_HEAD = """
| entry | workers | check found | seconds | of the fixed twin | seconds |
|---|---|---|---|---|---|
"""


def write(chosen: Sequence[Entry], *, seed: int | None) -> None:
    """Print the table as it is measured, row by row; entries that cannot run here have none."""
    result(_HEAD)
    for entry in chosen:
        # A server's address would have to be in the environment of a check.
        if entry.needs:
            complain(f"{entry.name}: not checked: it needs {' and '.join(entry.needs)}")
            continue
        if is_server(entry):
            complain(f"{entry.name}: not checked: nothing tells a server's routes but its document")
            continue
        try:
            told = [cell for fixed in (False, True) for cell in _told(entry, seed, fixed=fixed)]
        except CtxsimError as error:
            complain(f"{entry.name}: not checked: {error}")
        else:
            words = ", ".join(_workers(entry) or ()) or "all that suit"
            result(f"| {entry.name} | {words} | {' | '.join(told)} |\n")


def _told(entry: Entry, seed: int | None, *, fixed: bool) -> Iterator[str]:
    started = time.monotonic()
    outcome = _checked(entry, seed, fixed=fixed)
    codes = dict.fromkeys(finding.code for finding in outcome.findings)
    yield " ".join(codes) if outcome.verdict == "findings" else outcome.verdict
    yield f"{time.monotonic() - started:.0f}"


def _checked(entry: Entry, seed: int | None, *, fixed: bool) -> Outcome:
    with place(entry, fixed=fixed) as where:
        scenario = twin(entry, where, fixed=fixed)
        return check(
            f"{entry.folder}/{scenario.target.app}",
            path=str(entry.folder),
            python=where.python,
            unsafe=True,
            workers=_workers(entry),
            seed=seed,
            budget_s=_BUDGET_S,
            shared=scenario.shared,
            keeps=scenario.keeps,
        )


def _workers(entry: Entry) -> tuple[str, ...] | None:
    """The workers that are named, where it shows with none of those that a check has by itself."""
    known = {_kind(word) for word in (*WSGI_WORKERS, *ASGI_WORKERS)}
    return None if known & set(map(_kind, entry.shows)) else entry.shows


def _kind(word: str) -> tuple[str, str | None]:
    workers = Workers.parse(word)
    return workers.model, workers.variant
