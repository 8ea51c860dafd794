"""How many executions of real code a second of CPU, under the strategy `auto`.

Usage: lockstep.py [SECONDS]     measures each case for so long; 3 unless told
"""

from __future__ import annotations

import gc
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cell" / "schedule"))

import racy  # noqa: E402 - the applications are the tests' own
from measures import Measure, at_least, in_turns  # noqa: E402 - as above
from serving import get  # noqa: E402 - as above

from ctxsim.cell.schedule.choices import Lengths  # noqa: E402 - as above
from ctxsim.cell.schedule.lockstep import Lockstep  # noqa: E402 - as above
from ctxsim.cell.schedule.selection import Granularity, Selection  # noqa: E402 - as above
from ctxsim.cell.schedule.standins import StandIns  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies import strategy  # noqa: E402 - as above
from ctxsim.cell.schedule.tracing import tracing  # noqa: E402 - as above

Calls = Sequence[Callable[[], object]]
_SECONDS = 3.0
_WARM = 50
_COLUMNS = "{:44} {:>12} {:>8} {:>12}"
# From 3.12 on nothing is traced but what is selected.
_GOAL = 1_500 if sys.version_info < (3, 12) else 2_500
_FLASK = "Flask, 3 requests, a global"


@dataclass(frozen=True)
class Case:
    """So many workers, in which the lines or opcodes of one file are switch points."""

    name: str
    calls: Calls
    file: str
    granularity: Granularity = "line"


def cases() -> list[Case]:
    """To be called when the stand-ins are there, which have to be before the application is."""
    import leaky_shop  # noqa: PLC0415 - as above

    def requests(path: str) -> Calls:
        return [lambda user=user: get(leaky_shop.app, path, user) for user in "abc"]

    return [
        Case("lost update, 2 workers", [racy.count] * 2, racy.__file__),
        Case("lost update, 2 workers, opcodes", [racy.count] * 2, racy.__file__, "opcode"),
        Case("lost update, 8 workers", [racy.count] * 8, racy.__file__),
        Case("lost update in 2 threads that it starts", [racy.count_in_threads], racy.__file__),
        Case(_FLASK, requests("/global"), leaky_shop.__file__),
        Case("Flask, 3 requests, g", requests("/g"), leaky_shop.__file__),
    ]


def executions(case: Case, lockstep: Lockstep, until: Callable[[int], bool]) -> tuple[int, int]:
    """How many executions there were, and how many steps these had in all."""
    chosen, measured, steps, number = strategy("auto"), Lengths(), 0, 0
    while not until(number):
        if chosen.exhausted:
            chosen = strategy("auto")
        execution = lockstep.run(case.calls, chosen.begin(number, 1, measured))
        chosen.ended(execution.schedule)
        measured = measured.including(execution.schedule)
        steps += len(execution.schedule.steps)
        number += 1
    return number, steps


def measured(case: Case, seconds: float) -> tuple[int, int, float]:
    """Executions, their steps, and the seconds that they took."""
    selection = Selection(frozenset({case.file}), case.granularity)
    with tracing(selection) as tracer, Lockstep(tracer) as lockstep:
        for call in case.calls:
            call()
        executions(case, lockstep, lambda number: number == _WARM)
        gc.collect()
        began = time.process_time()
        count, steps = executions(case, lockstep, lambda _: time.process_time() - began > seconds)
        return count, steps, time.process_time() - began


def measured_line(case: Case, seconds: float) -> str:
    count, steps, took = measured(case, seconds)
    return _COLUMNS.format(
        case.name, f"{count / took:.0f}", f"{steps / count:.0f}", f"{took / steps * 1e6:.2f}"
    )


def uncontrolled(case: Case, seconds: float) -> float:
    """How often a second the same is done one after the other, without a schedule."""
    began, count = time.process_time(), 0
    while time.process_time() - began < seconds:
        for call in case.calls:
            call()
        count += 1
    return count / (time.process_time() - began)


def measure() -> Iterator[Measure]:
    def controlled(case: Case) -> float:
        count, _, took = measured(case, _SECONDS)
        return count / took

    with StandIns():
        case = next(each for each in cases() if each.name == _FLASK)
        rates = in_turns(
            {
                "controlled": lambda: controlled(case),
                "uncontrolled": lambda: uncontrolled(case, _SECONDS),
            }
        )
    yield at_least(
        "executions of three Flask requests under a schedule, a second of CPU",
        _GOAL,
        rates["controlled"],
        "",
        f"the same requests without one {rates['uncontrolled']:,.0f} times",
    )


def main(seconds: float = _SECONDS) -> None:
    print(f"Python {platform.python_version()}")
    print(_COLUMNS.format("", "executions/s", "steps", "us per step"))
    with StandIns():
        for case in cases():
            print(measured_line(case, seconds), flush=True)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
