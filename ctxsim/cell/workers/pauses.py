"""The blocking calls of the application: `ctxsim.pause` and `time.sleep`.

They are the switch points that every worker model has. Both are put in place before the application
is imported, which may bind their names then; what is done at them is known only afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ctxsim.cell.targets.faults import BLOCKING, fail, kill
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.probes import Probes
from ctxsim.cell.witness.record import Current

# A lesson's pauses are cut to this; not to nothing, since an application may wait in a few short
# ones for a thread of its own.
_LONGEST_OF_LESSON_S = 0.01


class Pauses:
    """What is done when a worker goes on after a blocking call."""

    def __init__(self) -> None:
        self._current: Callable[[], Request | None] = lambda: None
        self._inside: Inside | None = None
        self._probes: Probes | None = None
        self._kills = False

    def watch(
        self, current: Current, inside: Inside | None, probes: Probes | None, *, kills: bool
    ) -> None:
        """Look at requests from now on; `kills` where no greenlet's own switch kills them."""
        self._inside, self._probes, self._kills = inside, probes, kills
        self._current = current.get

    def of(self, sleep: Callable[..., None]) -> Sleep:
        """What is to be called in place of `sleep`."""
        return Sleep(sleep, self)

    def around(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """A function that calls `sleep`, where a function will do.

        A request that waits in one keeps less on its stack than in an object that is called.
        """
        passed = self.passed

        def paused(seconds: float = 0) -> None:
            sleep(seconds)
            passed()

        return paused

    def stand_in(self) -> None:
        """Stand in for `time.sleep` as it is now, unless that was done."""
        now: object = time.sleep  # noqa: TID251 - what the application calls is watched
        if type(now) is not Sleep:
            time.sleep = self.of(time.sleep)  # noqa: TID251 - as above

    def passed(self) -> None:
        """A blocking call has ended."""
        request = self._current()
        if request is None:
            return
        if self._inside is not None:
            self._inside.look("after a pause")
        if self._probes is not None and self._has_begun(request):
            self._probes.look(request, "after a pause")
        if request.fault is not None:
            fail(request, BLOCKING)
            if self._kills:
                kill(request)

    def _has_begun(self, request: Request) -> bool:
        # Where hooks are known: what they set for each request is the last one's until they ran.
        return self._inside is None or request.hooked


def brief(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """`sleep` for a lesson, in which nobody else has anything to do meanwhile.

    More is learnt in the same time. An answer that tells how long a pause took is not misjudged:
    what confirms a difference is carried with pauses as they are.
    """

    def slept(seconds: float = 0) -> None:
        sleep(min(seconds, _LONGEST_OF_LESSON_S))

    return slept


class Sleep:
    """Stands where a sleeping function stood.

    No function, since one in a class's body would become a method, which a builtin does not.
    """

    def __init__(self, sleep: Callable[..., None], pauses: Pauses) -> None:
        # Applications ask by these names whether gevent has patched it.
        self.__module__ = sleep.__module__
        self.__name__ = self.__qualname__ = sleep.__name__
        self._sleep = sleep
        self._passed = pauses.passed

    def __call__(self, *args: Any, **named: Any) -> None:
        self._sleep(*args, **named)
        self._passed()

    def __reduce__(self) -> str:
        # By its name, as a builtin is pickled: a pool of processes may be given it.
        return "sleep"
