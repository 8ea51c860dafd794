"""How far a run is, on stderr: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ctxsim.cells import Progress, Tell
from ctxsim.cli.streams import complain
from ctxsim.scenario.plans import UNKNOWN_STORAGE

_LINE_EVERY_S = 10.0


@contextmanager
def shown(*, quiet: bool, color: bool) -> Iterator[Tell | None]:
    """Give what a simulation tells its progress to; None where nobody wants to know."""
    if quiet or sys.stderr is None:
        yield None
    elif sys.stderr.isatty():
        with _bars(color=color) as tell:
            yield tell
    else:
        yield Lines(complain, time.monotonic)


@contextmanager
def _bars(*, color: bool) -> Iterator[Tell]:
    # Here, because rich takes longer to import than a small run takes.
    from rich.console import Console  # noqa: PLC0415 - as just said
    from rich.progress import Progress as Bars  # noqa: PLC0415 - as just said
    from rich.progress import TaskID  # noqa: PLC0415 - as just said

    tasks: dict[int, TaskID] = {}
    with Bars(console=Console(stderr=True, no_color=not color), transient=True) as bars:

        def tell(now: Progress) -> None:
            job = now.job
            if id(job) not in tasks:
                tasks[id(job)] = bars.add_task(_name(now), total=job.plan.load.requests)
            bars.update(tasks[id(job)], completed=now.history.tally.requests)
            if now.state == "ended":
                # A matrix has more cells than a terminal has lines.
                bars.update(tasks[id(job)], visible=False, refresh=True)

        yield tell


class Lines:
    """Plain lines: one when a cell ends, and one every 10 s."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._started = self._said = clock()
        self._running: dict[int, int] = {}
        self._ended = 0

    def __call__(self, now: Progress) -> None:
        requests = now.history.tally.requests
        self._running[id(now.job)] = requests
        if now.state == "ended":
            self._end(now, self._running.pop(id(now.job)))
        elif self._clock() - self._said >= _LINE_EVERY_S:
            self._said = self._clock()
            self._say(
                f"{self._said - self._started:.0f} s: {sum(self._running.values()):,} requests "
                f"in {len(self._running)} running cells, {self._ended} ended"
            )

    def _end(self, now: Progress, requests: int) -> None:
        self._ended += 1
        ending = now.history.ending
        if ending is not None and ending.kind == "unsuited":
            # Left out, or told as an error: no cell that a reader knows of.
            return
        early = f", {ending.kind}" if ending is not None else ""
        self._say(f"{_name(now)}: {requests:,} requests{early}")


def _name(now: Progress) -> str:
    # Where contexts are kept shows after the import; then the cell's process is under way.
    cell = now.job.cell
    return cell.workers.word if cell.storage == UNKNOWN_STORAGE else cell.name
