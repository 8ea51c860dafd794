"""Signal receivers that belong to one request: CTX206's evidence.

A receiver that a request connects, and that holds state (a closure over a list, a bound method), is
called for every other request as well until it is disconnected. One that is connected once, by the
first request, is the application's; where each request connects one, each has its own. Blinker
itself tells of each connection; from then on the signal is listened to, and whoever sends it while
another request's receiver is connected has given that request what is its own.
"""

from __future__ import annotations

import logging
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from ctxsim.cell.history import Event
from ctxsim.cell.objects import instances
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.bindings import application_modules, closed_over
from ctxsim.cell.witness.record import Current, Record, where_we_are

# What a closure may hold and still be nobody's: code, and what there is one of.
_NOBODYS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    type,
    logging.Logger,
    int,
    float,
    type(None),
)


class Receivers:
    """Listens to the signals of a process, where blinker is loaded."""

    def __init__(self, current: Current, record: Record) -> None:
        # How many requests had ended when one that connected a receiver ended.
        self._ended: dict[Request, int] = {}
        self._current = current
        self._record = record
        # Held weakly, as blinker does: a receiver that dies with its request harms nobody.
        self._connected: dict[int, list[tuple[weakref.ref[Any], Request]]] = {}
        # Which request connected a receiver of that code first.
        self._first: dict[object, Request] = {}
        self._watched: set[int] = set()
        # Kept, so that no id of a signal is used again.
        self._signals: list[Any] = []

    def watch(self) -> None:
        """Have blinker tell of connections to every signal that exists now."""
        blinker = sys.modules.get("blinker")
        if blinker is None:
            return
        known = {id(each) for each in self._signals}
        for signal in instances(blinker.Signal):
            if id(signal) not in known:
                self._signals.append(signal)
                signal.receiver_connected.connect(self._on_connected, weak=False)

    def after(self, request: Request) -> None:
        """The request has ended; it may have been the first to connect something."""
        if self._first and request in self._first.values():
            self._ended[request] = self._record.ended + 1

    def _on_connected(self, signal: Any, receiver: Any = None, **_: object) -> None:
        request = self._current.get()
        ours = getattr(receiver, "__module__", None) == __name__
        if request is None or ours or not _holds_state(receiver):
            return
        held = weakref.WeakMethod if isinstance(receiver, types.MethodType) else weakref.ref
        self._connected.setdefault(id(signal), []).append((held(receiver), request))
        first = self._first.setdefault(_code_of(receiver), request)
        # Requests that are the first together may all set up what the application needs once: only
        # one that began after the first had ended connects another.
        again = self._ended.get(first, request.began + 1) <= request.began
        if again and id(signal) not in self._watched:
            self._watched.add(id(signal))
            signal.connect(self._watcher(signal), weak=False)

    def _watcher(self, signal: Any) -> Callable[..., None]:
        def watch(sender: Any, **_: object) -> None:
            request = self._current.get()
            if request is not None:
                self._look(signal, sender, request)

        return watch

    def _look(self, signal: Any, sender: Any, request: Request) -> None:
        called = list(signal.receivers_for(sender))
        for held, owner in list(self._connected[id(signal)]):
            receiver = held()
            if receiver is not None and owner is not request and receiver in called:
                self._note(signal, receiver, owner, request)

    def _note(self, signal: Any, receiver: Any, owner: Request, request: Request) -> None:
        name = getattr(receiver, "__qualname__", type(receiver).__name__)
        of = getattr(signal, "name", "a signal")
        self._record.note(
            Event(
                kind="receiver.foreign",
                place=f"receiver {name} of signal {of}",
                victim=request.who,
                source=owner.who,
                where=where_we_are(3),
                at_request=self._record.ended + 1,
            )
        )


def _holds_state(receiver: object) -> bool:
    """Whether a receiver has captured what may be a request's: neither code nor a global."""
    known = {id(v) for m in application_modules() for v in list(vars(m).values())}
    return any(
        not issubclass(type(held), _NOBODYS) and id(held) not in known and not _is_application(held)
        for held in closed_over(receiver)
    )


def _code_of(receiver: Any) -> object:
    function = getattr(receiver, "__func__", receiver)
    return getattr(function, "__code__", type(receiver))


def _is_application(held: object) -> bool:
    return "wsgi_app" in dir(type(held))
