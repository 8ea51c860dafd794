"""The gallery's tables: what `run` finds, and when, beside plain loops; and what `check` finds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctxsim.cells import Progress
from ctxsim.cli import gallery_checked
from ctxsim.cli.gallery_bruteforce import Brute, bruteforce
from ctxsim.cli.streams import complain, result
from ctxsim.errors import CtxsimError, ExitCode
from ctxsim.gallery import Entry, Place, place, twin
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

_LIMIT_S = 3.0
_LIMIT_OF_HARD_S = 10.0
_FAST_SWITCH_S = 1e-6

_HEAD = """\
| entry | workers | found | request | seconds | plain loop | with a switch interval of 1 us |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class First:
    """The first finding of an entry: with which workers, at which request, after how long."""

    codes: tuple[str, ...]
    at_request: int
    after_s: float


def write(chosen: Sequence[Entry], *, seed: int | None) -> int:
    """Print the tables as they are measured; entries that cannot run here have no rows."""
    result(_HEAD)
    for entry in chosen:
        try:
            for row in _rows(entry, seed):
                result(row)
        except CtxsimError as error:
            complain(f"{entry.name}: not measured: {error}")
    gallery_checked.write(chosen, seed=seed)
    return ExitCode.OK


def _rows(entry: Entry, seed: int | None) -> Iterator[str]:
    limit_s = _LIMIT_OF_HARD_S if entry.difficulty == "hard" else _LIMIT_S
    with place(entry, fixed=False) as where:
        for word in entry.shows:
            scenario = twin(entry, where, fixed=False, workers=[word]).with_options(seed=seed)
            yield _row(entry, word, _found(scenario), _plain(scenario, where, limit_s))


def _found(scenario: Scenario) -> First | None:
    """Carry the scenario once, and note the clock when the first event is told."""
    clock: dict[str, float] = {}

    def tell(now: Progress) -> None:
        clock.setdefault(now.state, time.monotonic())

    document = simulate(scenario, options=Options(jobs=1, confirms=False), progress=tell).document
    if not document.findings:
        return None
    codes = tuple(dict.fromkeys(finding.code for finding in document.findings))
    at_request = min(finding.first_at_request for finding in document.findings)
    ready = clock.get("ready", clock["started"])
    return First(codes, at_request, max(0.0, clock.get("event", clock["ended"]) - ready))


def _plain(scenario: Scenario, where: Place, limit_s: float) -> tuple[Brute, Brute]:
    if scenario.target.start is not None:
        # The loop stands in the application's own process.
        return Brute(failure="a server"), Brute(failure="a server")
    usual = bruteforce(scenario, where, limit_s=limit_s)
    fast = bruteforce(scenario, where, limit_s=limit_s, switch_interval_s=_FAST_SWITCH_S)
    return usual, fast


def _row(entry: Entry, word: str, first: First | None, plain: tuple[Brute, Brute]) -> str:
    codes, request, seconds = "not found", "", ""
    if first is not None:
        codes, request = " ".join(first.codes), f"{first.at_request:,}"
        seconds = f"{first.after_s:.2f}"
    cells = [entry.name, word, codes, request, seconds, *map(_told, plain)]
    return f"| {' | '.join(cells)} |\n"


def _told(brute: Brute) -> str:
    if brute.failure:
        return brute.failure
    if brute.at_request is None:
        return f"nothing in {brute.requests:,}"
    return f"request {brute.at_request:,}, {brute.after_s:.2f} s"
