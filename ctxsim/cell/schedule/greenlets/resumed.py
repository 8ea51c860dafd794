"""Which greenlet goes on first when the hub calls something.

gevent's parts are compiled, and hide who waits for them; the garbage collector knows what they
hold. Where it is not found out, nothing goes wrong: who goes on is seen when it does.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinMethodType, MethodType
from typing import Any

import gevent
import greenlet
from gevent._abstract_linkable import AbstractLinkable
from gevent.hub import Waiter
from gevent.queue import Channel, SimpleQueue

_SWITCHES = frozenset({"switch", "throw"})
# What holds greenlets that wait for it.
_AWAITED = (AbstractLinkable, gevent.Greenlet, SimpleQueue, Channel)
_Greenlet = greenlet.greenlet
_METHODS = (BuiltinMethodType, MethodType)


def resumed(callback: Callable[..., object], args: Iterable[object]) -> Any:
    """The greenlet that goes on first when this is called; None where none does, or nobody knows.

    More than one may go on, one after the other: whoever waits for the same thing is told in one
    call, in the order in which they came, and that order is gevent's own.
    """
    return next(_found(callback, args), None)


def _found(callback: Callable[..., object], args: Iterable[object]) -> Iterator[Any]:
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, Waiter) or _is_switch(callback, owner):
        yield from _alive((owner,))
        return
    if isinstance(owner, _AWAITED):
        yield from waiting_for(owner)
    # What is killed, or is told that its time is over, is an argument.
    for each in args:
        yield from _alive(each if type(each) is list else (each,))


def _is_switch(callback: object, owner: object) -> bool:
    return isinstance(owner, _Greenlet) and getattr(callback, "__name__", "") in _SWITCHES


def waiting_for(awaited: object) -> Iterator[Any]:
    """The greenlets that wait for one of gevent's objects, in their order.

    None for a greenlet that has not ended: it does not let itself be looked into.
    """
    for held in gc.get_referents(awaited):
        if type(held) in (list, deque):
            yield from _alive(held)


def _alive(things: Iterable[object]) -> Iterator[Any]:
    return (each for each in map(_behind, things) if each is not None and not each.dead)


def _behind(thing: object) -> Any:
    """The greenlet itself, or the one that a waiter or a link of gevent's stands for.

    By their types, since a queue may hold anything, and a proxy says that it is what it stands for.
    """
    if type(thing) in _METHODS:
        thing = getattr(thing, "__self__", None)
    if issubclass(type(thing), Waiter):
        thing = getattr(thing, "greenlet", None)
    return thing if issubclass(type(thing), _Greenlet) else None
