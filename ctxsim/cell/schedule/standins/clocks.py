"""Clocks that show the time of the execution, and a sleep that takes none.

An execution begins at the time at which the stand-ins were installed, so that what was read before
is not in the future. While workers run, time goes on by a tick at each look at a clock: what an
application makes of the time, such as the number of an order, must differ from one to the next.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from math import floor
from types import FrameType

from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.places import application_place, outside_of_ours
from ctxsim.cell.schedule.states import TICKS_PER_S

_NS_PER_S = 1_000_000_000
_CLOCKS = ("time", "monotonic", "perf_counter")
_sleep = time.sleep  # noqa: TID251 - what it is outside of an execution


def sleep(seconds: float) -> None:
    run = here()
    if run is None or seconds < 0 or _is_of_process(sys._getframe(1)):
        _sleep(seconds)
        return
    if seconds == 0:
        run.reach(application_place(sys._getframe(1)))
        return
    deadline_s = run.roster.deadline_s(seconds)
    # Who is cut off may sleep while it cleans up: it takes no time, and nobody is switched to.
    while run.now_s < deadline_s and not run.is_ending:
        run.wait(None, "time.sleep", deadline_s)


def _is_of_process(frame: FrameType) -> bool:
    """Whether it is slept between looks at a process, for which no time would be left else."""
    return outside_of_ours(frame).f_globals.get("__name__") == "subprocess"


def stand_ins() -> dict[object, object]:
    """By the real function, the one that stands in for it."""
    found: dict[object, object] = {_sleep: sleep}
    for name in _CLOCKS:
        in_ns = getattr(time, f"{name}_ns")
        seconds, nanoseconds = _clock(getattr(time, name), in_ns)
        found[getattr(time, name)] = seconds
        found[in_ns] = nanoseconds
    return found


def _clock(
    real: Callable[[], float], real_ns: Callable[[], int]
) -> tuple[Callable[[], float], Callable[[], int]]:
    # A whole number of ticks, so that a sum with a virtual time is exact: a deadline that is
    # computed from it would otherwise miss the time by a rounding error, and be waited for twice.
    began_s = floor(real() * TICKS_PER_S) / TICKS_PER_S

    def seconds() -> float:
        run = here()
        return real() if run is None else began_s + run.look_at_clock_s()

    def nanoseconds() -> int:
        run = here()
        return real_ns() if run is None else round((began_s + run.look_at_clock_s()) * _NS_PER_S)

    return seconds, nanoseconds
