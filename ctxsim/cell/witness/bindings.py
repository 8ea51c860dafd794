"""Objects of one request that are bound where a proxy belongs: CTX205's evidence.

`request = request._get_current_object()` at module level, a default argument, a closure or a class
attribute keeps pointing at the request in which it was bound. The application's own modules are
searched for such names, a few times in a run; nothing of the application's is called.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from ctxsim.cell.history import Event
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.record import Milestones, Record, is_application_file, module_file

# After so many requests; a search of a large application takes some milliseconds.
_SEARCH_AT = (3, 10, 30, 100, 300, 1_000, 3_000, 30_000, 300_000)


class Bindings:
    """Searches the application's modules for objects that belong to one request."""

    def __init__(
        self, belongs_to: Callable[[object], Request | None], record: Record, lock: Any
    ) -> None:
        self._belongs_to = belongs_to
        self._record = record
        self._milestones = Milestones(_SEARCH_AT, lock)

    def after(self, request: Request) -> None:
        """A request has ended; it may be time to search."""
        ended = self._record.ended + 1
        # Mostly it is not, and a call takes longer than to see that.
        if ended >= self._milestones.next and self._milestones.reached(ended):
            self.search(request)

    def search(self, request: Request) -> None:
        """Note every name that leads to an object of a request other than `request`."""
        for place, thing in _bound_names():
            # A method of a request's object keeps it just as well.
            method = issubclass(type(thing), types.MethodType)
            owner = self._belongs_to(thing.__self__ if method else thing)
            if owner is not None and owner is not request:
                self._record.note(
                    Event(
                        kind="proxy.early",
                        place=place,
                        victim=request.who,
                        source=owner.who,
                        seen=f"a {type(thing).__name__}",
                        at_request=self._record.ended + 1,
                    )
                )


def application_modules() -> list[types.ModuleType]:
    """The modules that are the application's own, and no library's."""
    return [
        module for module in list(sys.modules.values()) if is_application_file(module_file(module))
    ]


def _bound_names() -> Iterator[tuple[str, Any]]:
    for module in application_modules():
        for name, value in list(vars(module).items()):
            place = f"{module.__name__}.{name}"
            yield place, value
            # By `type`, since to ask a lazy object for its `__class__` is to evaluate it.
            if issubclass(type(value), types.FunctionType):
                yield from _of_function(place, value)
            elif issubclass(type(value), type) and value.__module__ == module.__name__:
                yield from _of_class(place, value)


def _of_class(place: str, kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(kind).items()):
        yield f"{place}.{name}", value
        function = value.__func__ if type(value) in (classmethod, staticmethod) else value
        if issubclass(type(function), types.FunctionType):
            yield from _of_function(f"{place}.{name}", function)


def _of_function(place: str, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for value in function.__defaults__ or ():
        yield f"a default argument of {place}", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"the default of {name} of {place}", value
    yield from ((f"the closure of {place}", value) for value in closed_over(function))


def closed_over(function: Any) -> Iterator[object]:
    """What a function, method or partial has captured."""
    if issubclass(type(function), functools.partial):
        yield from (*function.args, *function.keywords.values())
        yield from closed_over(function.func)
    elif issubclass(type(function), types.MethodType):
        yield function.__self__
    elif issubclass(type(function), types.FunctionType):
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue  # a name that was not bound yet
