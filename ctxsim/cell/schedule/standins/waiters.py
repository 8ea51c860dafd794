"""Workers that wait for the same thing to change."""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.cell.schedule.lockstep import Run, wake
from ctxsim.cell.schedule.states import Waitable, Worker


class Waiters:
    """All are woken at once, and the chooser says who is first: the system does not say either."""

    __slots__ = ("_workers",)

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def until(
        self, run: Run, attempt: Callable[[], bool], on: Waitable, timeout_s: float | None
    ) -> bool:
        """Try, and wait, until `attempt` says True; False where the patience has ended before."""
        deadline_s: float | None = None
        while not attempt():
            if timeout_s is not None:
                deadline_s = run.roster.deadline_s(timeout_s) if deadline_s is None else deadline_s
                if run.now_s >= deadline_s:
                    return False
            self._wait(run, on, deadline_s)
        return True

    def _wait(self, run: Run, on: Waitable, deadline_s: float | None) -> None:
        worker = run.current
        if worker is None:
            raise RuntimeError("only a worker can wait")
        self._workers.append(worker)
        try:
            run.wait(on, on.called, deadline_s)
        finally:
            if worker in self._workers:
                self._workers.remove(worker)

    def wake(self) -> None:
        if self._workers:
            workers, self._workers = self._workers, []
            wake(workers)
