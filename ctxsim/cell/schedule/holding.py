"""Who has the lock or semaphore that a task waits for, and where it was taken.

asyncio's and anyio's do not tell it. So it is noted when one is taken and given back; nothing else
of them changes. Of a semaphore that several have, nobody is told to be the one who is waited for.
"""

from __future__ import annotations

import asyncio
import sys
from functools import update_wrapper, wraps
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary, ref

from ctxsim.cell.schedule.awaits import frames_of
from ctxsim.cell.schedule.places import Place, own_place

Task = asyncio.Task[Any]
_ANYIO = "anyio._backends._asyncio"
# By lock or semaphore, who has taken it, and where. Nobody lives longer for it.
_taken: WeakKeyDictionary[object, list[tuple[ref[Task], Place]]] = WeakKeyDictionary()
# The coroutines in which one waits for one of them.
_taking: set[CodeType] = set()
_noted: set[type] = set()


def install() -> None:
    """Note from now on who takes what. It stays for the life of the process."""
    kinds: list[Any] = [asyncio.Lock, asyncio.Semaphore]
    if (anyio := sys.modules.get(_ANYIO)) is not None:
        kinds += [getattr(anyio, name) for name in ("Lock", "Semaphore") if hasattr(anyio, name)]
    for kind in kinds:
        if kind not in _noted:
            _noted.add(kind)
            _put_in(kind)


def held_by(task: Task) -> tuple[Task | None, Place] | None:
    """Who has what the task waits for, and where that was taken; None where it is not known.

    A task that has ended, and has not given it back, is not told.
    """
    for frame in frames_of(task):
        if frame.f_code in _taking:
            taken = _taken.get(frame.f_locals["self"], ())
            if len(taken) != 1:
                return None
            holder, place = taken[0][0](), taken[0][1]
            return (None if holder is None or holder.done() else holder), place
    return None


def _put_in(kind: Any) -> None:
    take, give = kind.acquire, kind.release

    async def acquire(self: object) -> object:
        taken = await take(self)
        _note(self)
        return taken

    @wraps(give)
    def release(self: object) -> None:
        give(self)
        _forget(self)

    # What is awaited is told by the names of the code that waits.
    name = f"{kind.__qualname__}.acquire"
    acquire.__code__ = acquire.__code__.replace(co_qualname=name)
    _taking.add(take.__code__)
    kind.acquire, kind.release = update_wrapper(acquire, take), release
    if (at_once := getattr(kind, "acquire_nowait", None)) is not None:

        @wraps(at_once)
        def acquire_nowait(self: object) -> None:
            at_once(self)
            _note(self)

        kind.acquire_nowait = acquire_nowait


def _note(thing: object) -> None:
    task = asyncio.current_task()
    if task is not None:
        _taken.setdefault(thing, []).append((ref(task), own_place(sys._getframe(2))))


def _forget(thing: object) -> None:
    """Of those who have it, the one who gives it back; or the first, for whom another does so."""
    taken = _taken.get(thing)
    if taken:
        task = asyncio.current_task()
        mine = [number for number, (holder, _) in enumerate(taken) if holder() is task]
        del taken[mine[0] if mine else 0]
