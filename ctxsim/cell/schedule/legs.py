"""An execution told by lines alone: who went on up to which line, in turn.

What a simulated worker has to wait for has no counterpart in a native thread, which takes no step
at a lock. Both come by the same lines; so a schedule is carried over to native threads by these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from ctxsim.cell.schedule.execution import Execution
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.selection import Reach, Tracer

# Stopped before a line that it came to; stopped in a call amid one; had to wait in such a call; or
# came to its end.
Stop = Literal["line", "call", "wait", "end"]
_FARTHEST = 6


@dataclass(frozen=True, slots=True)
class Leg:
    """`worker` goes on until it has come to so many `lines` since its start, and stops there."""

    worker: int
    lines: int
    stop: Stop


Legs = tuple[Leg, ...]


def as_json(windows: Sequence[Legs]) -> list[Any]:
    """For a message and for a plan: each leg is `[worker, lines, stop]`."""
    return [[[each.worker, each.lines, each.stop] for each in legs] for legs in windows]


def from_json(told: Sequence[Any]) -> tuple[Legs, ...]:
    """Read what `as_json` gave."""
    return tuple(tuple(Leg(*each) for each in legs) for legs in told)


class Noted:
    """At which steps workers came to lines, execution by execution: (worker, step) for each."""

    def __init__(self) -> None:
        self.windows: list[list[tuple[int, int]]] = []


def noting(tracer: Tracer, noted: Noted | None) -> Tracer:
    """The tracer, whose lines are noted where that is wanted."""
    return tracer if noted is None else _Noting(tracer, noted)


class _Noting:
    def __init__(self, tracer: Tracer, noted: Noted) -> None:
        self._tracer = tracer
        self._noted = noted

    def __enter__(self) -> Self:
        self._tracer.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._tracer.__exit__(*raised)

    def begin(self, reach: Reach) -> None:
        notes: list[tuple[int, int]] = []
        self._noted.windows.append(notes)

        def noting(place: Place) -> None:
            run = here()
            if run is not None and run.current is not None and not run.is_ending:
                notes.append((run.current.number, run.step))
            reach(place)

        self._tracer.begin(noting)

    def enter_worker(self) -> None:
        self._tracer.enter_worker()

    def end(self) -> None:
        self._tracer.end()


def legs_of(
    execution: Execution, noted: Sequence[tuple[int, int]], *, at_lines: bool
) -> Iterator[Leg]:
    """The legs of an execution; `at_lines` where each line that was noted is a switch point."""
    schedule = execution.decisive
    steps, preempted = schedule.steps, frozenset(schedule.preempted)
    by_step = Counter(noted)
    last_of = {worker: step for step, worker in enumerate(steps)}
    came_to: Counter[int] = Counter()
    step = 0
    for worker, count in schedule.runs:
        came_to[worker] += sum(by_step[worker, each] for each in range(step, step + count))
        step += count
        last = step - 1
        stop: Stop = "call" if step in preempted else "wait"
        if last_of[worker] == last and _has_ended(execution, worker):
            stop = "end"
        elif at_lines and by_step[worker, last]:
            stop = "line"
        yield Leg(worker, came_to[worker], stop)


def _has_ended(execution: Execution, worker: int) -> bool:
    return worker < len(execution.workers) and not execution.workers[worker].cut_off


def _before(legs: Legs, *stops: Stop) -> Legs:
    """The legs, where those with such stops end before the line that has the call."""
    return tuple(
        replace(each, stop="line") if each.stop in stops and each.lines else each for each in legs
    )


def variants(legs: Legs) -> Iterator[Legs]:
    """Legs that come as near: the same; with each call not begun; with each stop moved a little.

    A native thread is not held amid a call, but before the line that has it or before the next one.
    """
    yield from dict.fromkeys((legs, _before(legs, "call"), _before(legs, "call", "wait")))
    for away in range(1, _FARTHEST + 1):
        for at, leg in enumerate(legs):
            for lines in (leg.lines + away, leg.lines - away):
                if leg.stop in ("line", "call") and lines > 0:
                    yield (*legs[:at], replace(leg, lines=lines, stop="line"), *legs[at + 1 :])
