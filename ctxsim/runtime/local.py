"""Local and LocalStack: values that each worker has for itself.

What a slot holds is never changed in place but replaced, because a copied context starts with the
very objects of its parent, and a change in place would be seen by both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast
from weakref import WeakSet

from ctxsim.runtime import selection
from ctxsim.runtime.proxy import LocalProxy

T = TypeVar("T")

_live: WeakSet[Any] = WeakSet()


class Local:
    """A namespace whose attributes each worker has for itself.

    `storage` names where they are kept; without it they follow `use_storage`. Iterating gives the
    current worker's `(name, value)` pairs, calling with a name gives a proxy to that attribute.

    Raises AttributeError for a name that the current worker has not set.
    """

    __slots__ = ("__get", "__set", "__storage", "__weakref__")

    def __init__(self, storage: str | None = None) -> None:
        object.__setattr__(self, "_Local__storage", storage)
        self.__rebind__()
        _live.add(self)
        if storage is None:
            selection.follow(self)

    def __rebind__(self) -> None:
        slot = selection.make_slot("local", self.__storage)
        object.__setattr__(self, "_Local__get", slot.get)
        object.__setattr__(self, "_Local__set", slot.set)

    def __getattr__(self, name: str) -> Any:
        values = self.__get()
        if values is None or name not in values:
            raise AttributeError(name)
        return values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        values = self.__get()
        self.__set({name: value} if values is None else {**values, name: value})

    def __delattr__(self, name: str) -> None:
        values = self.__get()
        if values is None or name not in values:
            raise AttributeError(name)
        rest = {**values}
        del rest[name]
        self.__set(rest or None)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(dict(self.__get() or ()).items())

    def __call__(self, name: str, *, unbound_message: str | None = None) -> Any:
        """Give a proxy to the attribute `name`, looked up at each use."""
        return LocalProxy(self, name, unbound_message=unbound_message)

    def __bound__(self, name: str | None) -> tuple[Callable[[], Any], str | None]:
        if name is None:
            raise TypeError("A proxy to a Local needs the name of an attribute: local('user').")

        def attribute() -> Any:
            values: dict[str, Any] = self.__get() or {}
            return values[name]

        return attribute, None

    def __release_local__(self) -> None:
        self.__set(None)


class LocalStack(Generic[T]):
    """A stack that each worker has for itself; empty when a worker is new.

    `storage` names where it is kept; without it the stack follows `use_storage`. Calling it gives
    a proxy to the top, or to the attribute `name` of the top.
    """

    __slots__ = ("__weakref__", "_get", "_set", "_storage")

    def __init__(self, storage: str | None = None) -> None:
        self._storage = storage
        self.__rebind__()
        _live.add(self)
        if storage is None:
            selection.follow(self)

    def __rebind__(self) -> None:
        slot = selection.make_slot("stack", self._storage)
        self._get = slot.get
        self._set = slot.set

    def push(self, item: T) -> list[T]:
        """Put `item` on top; gives the stack as it is then."""
        stack = self._get()
        grown = [item] if stack is None else [*stack, item]
        self._set(grown)
        return grown

    def pop(self) -> T | None:
        """Take the top off and give it; None where the stack is empty."""
        stack = self._get()
        if stack is None:
            return None
        self._set(stack[:-1] or None)
        return cast(T, stack[-1])

    @property
    def top(self) -> T | None:
        """The item that was pushed last; None where the stack is empty."""
        stack = self._get()
        return None if stack is None else cast(T, stack[-1])

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._get() or ()))

    def __len__(self) -> int:
        return len(self._get() or ())

    def __bool__(self) -> bool:
        return True

    def __call__(self, name: str | None = None, *, unbound_message: str | None = None) -> Any:
        """Give a proxy to the top, or to its attribute `name`, looked up at each use."""
        return LocalProxy(self, name, unbound_message=unbound_message)

    def __bound__(self, name: str | None) -> tuple[Callable[[], Any], str | None]:
        def top() -> Any:
            stack: list[Any] = self._get() or []
            return stack[-1]

        return top, name

    def __release_local__(self) -> None:
        self._set(None)


def release_local(local: Local | LocalStack[Any]) -> None:
    """Forget what the current worker has stored in `local`; other workers keep theirs."""
    local.__release_local__()


def live_locals() -> Iterator[Local | LocalStack[Any]]:
    """Yield every Local and LocalStack that exists in the process."""
    yield from list(_live)
