"""Where a greenlet stands, what it waits for there, and who has that."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import greenlet
from gevent._abstract_linkable import AbstractLinkable
from gevent.queue import Channel, SimpleQueue

from ctxsim.cell.schedule.greenlets.resumed import waiting_for
from ctxsim.cell.schedule.places import Place, is_atomic
from ctxsim.cell.schedule.points import Site

_OURS = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
# The call that blocks is told by who makes it, not by what is in it.
_BETWEEN = (
    _OURS,
    os.path.join(os.path.dirname(_OURS[:-1]), "switchpoint.py"),
    os.path.dirname(gevent.__file__) + os.sep,
    os.path.dirname(greenlet.__file__) + os.sep,
)
_BLOCKING = {
    "Semaphore": "acquire",
    "BoundedSemaphore": "acquire",
    "LockType": "acquire",
    "Event": "wait",
    "AsyncResult": "get",
    "Greenlet": "join",
}
_NAMES = {"LockType": "Lock"}
# It forgets who begins to wait for an event that was set, before those who waited were told, where
# the last of these gives up in that moment; whatever timeout the wait has.
_FORGOTTEN = "gevent, which knows of nothing that would wake it"
_MOST_SITES = 20

# For each lock that a worker has taken: the greenlet that did, and where.
taken: WeakKeyDictionary[Any, tuple[Any, Place]] = WeakKeyDictionary()


def _is_between(file: str) -> bool:
    return file.startswith(_BETWEEN) or is_atomic(file)


def place_of(frame: FrameType) -> Place:
    """The innermost line that is neither gevent's, the standard library's nor ours; else the last.

    So it is the application's own, or that of a package that it uses.
    """
    at: FrameType | None = frame
    while at is not None:
        if not _is_between(at.f_code.co_filename):
            return at.f_code, at.f_lineno
        at = at.f_back
    return frame.f_code, frame.f_lineno


def stack_of(frame: FrameType) -> tuple[Site, ...]:
    """The same lines as sites, the innermost first."""
    sites = tuple(_sites(frame))[:_MOST_SITES]
    return sites or (Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname),)


def _sites(frame: FrameType | None) -> Iterator[Site]:
    while frame is not None:
        if not _is_between(frame.f_code.co_filename):
            yield Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
        frame = frame.f_back


def awaited() -> dict[Any, object]:
    """By greenlet, what each waits for; those are missing that wait for time, or a greenlet's end.

    It looks at all objects there are, which takes a while.
    """
    found: dict[Any, object] = {}
    for each in gc.get_objects():
        if issubclass(type(each), (AbstractLinkable, SimpleQueue, Channel)):
            for waiting in waiting_for(each):
                found.setdefault(waiting, each)
    return found


def called(frame: FrameType | None, awaited_thing: object) -> str:
    """By which call somebody waits, as `Queue.get`; by the thing where the call is compiled."""
    name = ""
    while frame is not None and _is_between(frame.f_code.co_filename):
        if not frame.f_code.co_filename.startswith(_BETWEEN[:2]):
            name = frame.f_code.co_qualname.lstrip("_")
        frame = frame.f_back
    kind, _, method = name.partition(".")
    if method:
        return f"{_NAMES.get(kind, kind)}.{method}"
    return name or _by_thing(awaited_thing)


def _by_thing(thing: object) -> str:
    for kind in type(thing).__mro__:
        if kind.__name__ in _BLOCKING and kind.__module__.startswith("gevent"):
            return f"{_NAMES.get(kind.__name__, kind.__name__)}.{_BLOCKING[kind.__name__]}"
    if thing is not None:
        return type(thing).__name__
    return "Greenlet.join" if any(map(_is_joined, gc.get_objects())) else _FORGOTTEN


def _is_joined(each: object) -> bool:
    """Whether it is a greenlet for whose end somebody may wait; for whose it does not tell."""
    known: Any = each
    return issubclass(type(each), gevent.Greenlet) and not known.dead and bool(known.has_links())
