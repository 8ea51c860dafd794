"""What stands in for the blocking and clock calls of the standard library.

They are installed before the application is imported. In a worker of an execution they talk to it;
everywhere else they do what the real ones do. Names that modules have bound already are bound anew,
as are locks in modules, around which a stand-in is put. What is hidden elsewhere, in a default of
an argument or an attribute of an object, stays real; a watchdog tells when it blocks.
"""

from __future__ import annotations

import _queue
import _thread
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Self

from ctxsim.cell.schedule.lockstep import Surrounding, surroundings
from ctxsim.cell.schedule.standins import births, chance, clocks, loops, outward, processes, threads
from ctxsim.cell.schedule.standins.locks import LOCK_TYPE, Lock, RLock
from ctxsim.cell.schedule.standins.queues import SimpleQueue
from ctxsim.cell.schedule.standins.thread_locals import Elders, Local, elder

# They must go on with what is real: what drives the workers, and other schedulers of greenlets.
_LEFT_ALONE = ("ctxsim.cell.schedule", "ctxsim.cell.patching", "greenlet", "gevent", "faulthandler")
_Binding = tuple[dict[str, Any], str, object]


class StandIns:
    """Put in place by `install` or a with statement; `clock`, `chance`, `threads` where these too.

    `more` are others: by the real object, the one that stands in for it.
    """

    def __init__(
        self,
        *,
        clock: bool = True,
        chance: bool = True,
        threads: bool = True,
        more: Mapping[object, object] | None = None,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._threads = threads
        self._more = dict(more or {})
        self._bound: list[_Binding] = []
        self._added: list[Surrounding] = []
        self._random: tuple[Any, ...] = ()

    def install(self) -> None:
        """Put them in place, for good unless `remove` is called."""
        elders = Elders(elder() if self._threads else [])
        found = self._found()
        self._bound = list(_bindings(found, LOCK_TYPE if self._threads else None))
        around: dict[int, Lock] = {}
        for names, name, real in self._bound:
            names[name] = _stand_in(real, found, around)
        births.install()
        loops.install()
        outward.install()
        processes.install()
        self._added = [births.anew]
        if self._threads:
            self._added += [threads.own_threads, elders.exchange]
        if self._chance:
            self._added.append(chance.seeded)
            self._random = random.getstate()
        surroundings.extend(self._added)

    def remove(self) -> None:
        """Bind every name to what it was."""
        for names, name, real in self._bound:
            names[name] = real
        for each in self._added:
            surroundings.remove(each)
        births.remove()
        loops.remove()
        outward.remove()
        processes.remove()
        if self._random:
            random.setstate(self._random)
        self._bound, self._added = [], []

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, *raised: object) -> None:
        self.remove()

    def _found(self) -> dict[int, tuple[object, object]]:
        found = {**outward.stand_ins(), **processes.stand_ins(), **self._more}
        if self._threads:
            found.update({**_of_threading(), **threads.stand_ins()})
        if self._clock:
            found.update(clocks.stand_ins())
        if self._chance:
            found.update(chance.stand_ins())
        # By identity, since what a module holds may not be hashable.
        return {id(real): (real, stand_in) for real, stand_in in found.items()}


def _of_threading() -> dict[object, object]:
    return {
        _thread.allocate_lock: Lock,
        threading.Lock: Lock,
        threading.RLock: RLock,
        _thread._local: Local,
        _queue.SimpleQueue: SimpleQueue,
    }


def _bindings(
    found: dict[int, tuple[object, object]], lock_type: type | None
) -> Iterator[_Binding]:
    for name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", None)
        if type(names) is dict and not name.startswith(_LEFT_ALONE):
            for bound, value in list(names.items()):
                if id(value) in found or type(value) is lock_type:
                    yield names, bound, value


def _stand_in(
    real: object, found: dict[int, tuple[object, object]], around: dict[int, Lock]
) -> object:
    if id(real) in found:
        return found[id(real)][1]
    if id(real) not in around:
        around[id(real)] = Lock.around(real)
    return around[id(real)]
