"""Where a proxy's object comes from: one small class per kind of source."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

from ctxsim.errors import OutsideContextError


@runtime_checkable
class Source(Protocol):
    """What a LocalProxy asks at each use."""

    # The names that `expression` uses. One dict for all getters that are generated from it, so that
    # a change of storage reaches them without generating them again.
    names: dict[str, Any]
    expression: str

    def resolve(self) -> Any:
        """Give the object; raise OutsideContextError where nothing is bound."""


@runtime_checkable
class Stored(Protocol):
    """A Local or LocalStack, which know how to look up what they hold."""

    def __bound__(self, name: str | None) -> tuple[Callable[[], Any], str | None]:
        """Give a function that looks up, or raises LookupError, and which attribute to take."""


class Resolved:
    """The plain case: generated getters call `resolve` too."""

    expression = "resolve()"

    def __init__(self, find: Callable[[], Any], name: str | None, message: str) -> None:
        self._find = find
        self._name = name
        self._message = message
        self.names = {"resolve": self.resolve}

    def resolve(self) -> Any:
        found = self.look_up()
        return found if self._name is None else getattr(found, self._name)

    def look_up(self) -> Any:
        return self._find()


class Looked(Resolved):
    """`find` raises LookupError where nothing is bound."""

    def look_up(self) -> Any:
        try:
            return self._find()
        except LookupError:
            raise OutsideContextError(self._message) from None


class Variable(Looked):
    """A context variable's value."""

    def __init__(self, variable: ContextVar[Any], name: str | None, message: str) -> None:
        super().__init__(variable.get, name, message)
        # None has none of the attributes that a getter is generated for, so an unset variable
        # ends in AttributeError, which is what a getter must raise to be asked again.
        self.expression = "get(None)" if name is None else f"get(None).{name}"
        self.names = {"get": variable.get}


def source_of(origin: Any, name: str | None, message: str) -> Source:
    """Make the source for what a LocalProxy was given.

    Raises TypeError for what is none of the kinds that LocalProxy's docstring lists.
    """
    if isinstance(origin, ContextVar):
        return Variable(origin, name, message)
    if isinstance(origin, Stored):
        find, attribute = origin.__bound__(name)
        return Looked(find, attribute, message)
    if isinstance(origin, Source):
        return origin
    if callable(origin):
        return Resolved(origin, name, message)
    kind = type(origin).__name__
    raise TypeError(
        f"A LocalProxy cannot stand for a {kind}. "
        "Give it a callable, a ContextVar, a LocalStack, or a Local and a name."
    )
