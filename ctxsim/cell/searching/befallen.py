"""Which faults have befallen requests of a window, and where: what a story tells of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ctxsim.cell.schedule.execution import Execution
from ctxsim.cell.schedule.lockstep import Run, here
from ctxsim.cell.schedule.places import Place, is_application_file, own_place
from ctxsim.cell.searching.seen import Watch
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.record import shown_file

_TELLS = {"cancel": "was cancelled", "error": "failed on purpose", "abort": "lost its client"}


@dataclass(frozen=True, slots=True)
class Befallen:
    """A fault that befell a request, which is that of its `worker` with that number, from 0.

    It did so in step `step` of the window, when so many lines had been watched of all windows;
    `count` is which await it was, or which switch point, and 0 where that is not counted.
    """

    worker: int
    request: int
    step: int
    after: int
    fault: str
    count: int = 0
    what: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        """What became of it, for a reader."""
        told = _TELLS.get(self.fault, self.fault)
        if self.count:
            told += f" at its {_nth(self.count)} {self.what}"
        if self.place is None:
            return told
        code, line = self.place
        return f"{told}{',' * bool(self.count)} at {shown_file(code.co_filename)}:{line}"


@dataclass(frozen=True, slots=True)
class _Followed:
    run: Run
    request: Request
    worker: int
    number: int


@dataclass(frozen=True, slots=True)
class _Noted:
    followed: _Followed
    step: int
    after: int
    count: int
    what: str
    # Where it stands; or how many switch points it had come to before, of which the next is it.
    at: Place | int


class Faults:
    """Notes the faults of one window after the other."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self._noted: list[_Noted] = []

    def follow(self, request: Request, worker: int, number: int) -> None:
        """Note what befalls that request, which a worker of the execution is about to carry."""
        # A greenlet is killed in the hub, which is in no execution.
        if request.fault and (run := here()) is not None:
            request.on_fault = partial(self._note, _Followed(run, request, worker, number))

    def _note(self, followed: _Followed, count: int, what: str) -> None:
        run, carrier = followed.run, followed.run.worker(followed.worker)
        at: Place | int
        if run.current is not carrier:
            # It is killed while it waits.
            at = len(carrier.trail) - 1
        elif what == "await":
            at = len(carrier.trail)
        else:
            at = own_place(sys._getframe(1))
        self._noted.append(_Noted(followed, run.step, self._lines, count, what, at))

    @property
    def _lines(self) -> int:
        return 0 if self._watch is None else len(self._watch.lines)

    def take(
        self, execution: Execution, carried: Sequence[Sequence[Request]]
    ) -> Iterator[Befallen]:
        """What befell the requests of the window that was carried so."""
        steps = execution.schedule.steps
        for each in self._noted:
            worker, number = each.followed.worker, each.followed.number
            place = _place(each.at, execution.trails[worker])
            step = _last_step(steps[: each.step + 1], worker)
            fault, what = str(each.followed.request.fault), each.what
            yield Befallen(worker, number, step, each.after, fault, each.count, what, place)
        self._noted.clear()
        for worker, requests in enumerate(carried):
            for number, request in enumerate(requests):
                if request.fault == "abort" and request.faulted:
                    step = _last_step(steps, worker)
                    yield Befallen(worker, number, step, self._lines, "abort")


def _last_step(steps: Sequence[int], worker: int) -> int:
    return max((at for at, who in enumerate(steps) if who == worker), default=0)


def _place(at: Place | int, trail: Sequence[Place]) -> Place | None:
    if isinstance(at, int):
        if not 0 <= at < len(trail):
            return None
        at = trail[at]
    return at if is_application_file(at[0].co_filename) else None


def _nth(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number in (11, 12, 13) else ends.get(number % 10, 'th')}"
