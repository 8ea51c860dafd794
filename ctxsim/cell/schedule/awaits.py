"""Where a task stands that awaits something, and what it awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

from ctxsim.cell.schedule.places import Place, is_application_file, is_atomic, is_installed

Task = asyncio.Task[Any]


def place_of(task: Task) -> Place:
    """The innermost line of the application's, or of a package's; else what is known."""
    places = list(_places(task.get_coro()))
    more = [each for each in places if is_application(each)]
    own = [each for each in more if not is_installed(each[0].co_filename)]
    return (own or more or places or [_beginning(task)])[-1]


def awaited(task: Task) -> str:
    """What the application awaits of the standard library, as `Lock.acquire`."""
    names: list[str] = []
    for place in _places(task.get_coro()):
        if is_application(place):
            names = []
        elif is_atomic(place[0].co_filename):
            names.append(place[0].co_qualname)
    told = next((each for each in names if not each.endswith("__")), None)
    if told is not None:
        return told
    return "await of a task" if isinstance(waiter_of(task), asyncio.Task) else "await of a future"


def waiter_of(task: Task) -> object:
    """The future that the task awaits; None where it is about to go on."""
    waiter: object = task._fut_waiter  # type: ignore[attr-defined]
    return waiter


def awaited_tasks(task: Task) -> list[Task]:
    """The tasks that have to end before it goes on, as far as that can be told."""
    waiter = waiter_of(task)
    if isinstance(waiter, asyncio.Task):
        return [waiter]
    # What `gather` gives keeps its children.
    children = getattr(waiter, "_children", ())
    return [each for each in children if isinstance(each, asyncio.Task) and not each.done()]


def is_application(place: Place) -> bool:
    """Whether that line is neither the standard library's nor ours: a reader wants to see it."""
    return is_application_file(place[0].co_filename)


def frames_of(task: Task) -> list[FrameType]:
    """The frames of the coroutines that the task has gone into, the innermost first."""
    return list(_frames(task.get_coro()))[::-1]


def _beginning(task: Task) -> Place:
    code = getattr(task.get_coro(), "cr_code", None) or _beginning.__code__
    return code, code.co_firstlineno


def _places(awaiting: object) -> Iterator[Place]:
    """Where each coroutine stands that awaits the next one, the outermost first."""
    for frame in _frames(awaiting):
        yield frame.f_code, frame.f_lineno


def _frames(awaiting: object) -> Iterator[FrameType]:
    while awaiting is not None:
        frame, awaiting = _opened(awaiting)
        if frame is not None:
            yield frame


def _opened(awaiting: Any) -> tuple[FrameType | None, object]:
    kind = type(awaiting)
    if kind is CoroutineType:
        return awaiting.cr_frame, awaiting.cr_await
    if kind is GeneratorType:
        frame = awaiting.gi_frame
        return frame, awaiting.gi_yieldfrom or _driven_by_hand(frame)
    if kind is AsyncGeneratorType:
        return awaiting.ag_frame, awaiting.ag_await
    # An iterator of C code, such as a future's or an async generator's: nothing leads on.
    return None, None


def _driven_by_hand(frame: FrameType | None) -> object:
    """The coroutine that a generator sends to itself, and holds in a variable; ours do so."""
    if frame is None:
        return None
    held = [each for each in frame.f_locals.values() if type(each) is CoroutineType]
    return held[0] if len(held) == 1 else None
