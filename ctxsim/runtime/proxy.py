"""LocalProxy: stands for an object that is looked up at each use, never at creation.

An attribute that a class lacks costs an AttributeError inside the interpreter before `__getattr__`
is asked, which is most of what Werkzeug's proxy spends. So the first use of an attribute gives the
proxy a class of its own, with a property of that name whose getter is one generated expression
("get().request.path"). The getter is optimistic: wherever it raises AttributeError (nothing bound,
no such attribute) Python asks `__getattr__` next, which looks again, slowly, and raises what is
right. A fixed list of names was tried and rejected: `g` has names that only the application knows.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from ctxsim.runtime.operators import METHODS
from ctxsim.runtime.sources import Source, source_of

# More names than a program spells out; beyond, somebody computes them, and the class would grow.
SHORTCUT_LIMIT = 256
# No attribute can be read by this name in source text, so it hides none of an object's.
_SHORTCUTS = "<shortcuts>"

UNBOUND = "Nothing is bound to this proxy here. Bind an object before the proxy is used."

# The proxy's own `__class__` tells that of the object, so the interpreter's must be asked for.
_class_of = object.__dict__["__class__"]


class LocalProxy:
    """Behaves as the object that `origin` gives at the moment of each use.

    `origin` is a callable, a LocalStack (its top), a ContextVar (its value) or, with `name`, a
    Local (its attribute `name`); with any of the others `name` picks an attribute of the object.
    `unbound_message` is the text of the error where nothing is bound.

    Raises OutsideContextError, a RuntimeError, when it is used where nothing is bound, and
    TypeError where it is made from something else.
    """

    __slots__ = ("__origin", "__source", "__weakref__", "_get_current_object")

    _get_current_object: Callable[[], Any]
    __origin: Any
    __source: Source

    def __init__(
        self, origin: Any, name: str | None = None, *, unbound_message: str | None = None
    ) -> None:
        source = source_of(origin, name, UNBOUND if unbound_message is None else unbound_message)
        object.__setattr__(self, "_LocalProxy__origin", origin)
        object.__setattr__(self, "_LocalProxy__source", source)
        object.__setattr__(self, "_get_current_object", source.resolve)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._get_current_object(), name)
        if name.isidentifier() and not name.startswith("__") and not keyword.iskeyword(name):
            _shorten(self, self.__source, name)
        return value

    @property
    def __wrapped__(self) -> Any:
        return self.__origin

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return self._get_current_object().__dict__  # type: ignore[no-any-return]

    @property
    def __class__(self) -> type:
        try:
            return self._get_current_object().__class__  # type: ignore[no-any-return]
        except RuntimeError:
            # isinstance() asks here, also for a proxy that is not bound, and must not fail then.
            return type(self)

    @__class__.setter
    def __class__(self, value: type) -> None:
        self._get_current_object().__class__ = value

    def __repr__(self) -> str:
        try:
            proxied = self._get_current_object()
        except RuntimeError:
            return "<LocalProxy unbound>"
        return repr(proxied)

    def __bool__(self) -> bool:
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    def __dir__(self) -> list[str]:
        try:
            return dir(self._get_current_object())
        except RuntimeError:
            return []


class _Doc:
    """`proxy.__doc__` is the object's, `LocalProxy.__doc__` the class's own."""

    def __init__(self, own: str | None) -> None:
        self._own = own

    def __get__(self, proxy: Any, owner: type) -> str | None:
        if proxy is None:
            return self._own
        return proxy._get_current_object().__doc__  # type: ignore[no-any-return]


def _shorten(proxy: LocalProxy, source: Source, name: str) -> None:
    kind: Any = type(proxy)
    if _SHORTCUTS not in kind.__dict__:
        own = {"__slots__": (), _SHORTCUTS: set(), "__module__": kind.__module__}
        kind = type(kind.__name__, (kind,), {**own, "__doc__": kind.__dict__["__doc__"]})
        _class_of.__set__(proxy, kind)
    shortcuts: set[str] = kind.__dict__[_SHORTCUTS]
    if len(shortcuts) < SHORTCUT_LIMIT:
        shortcuts.add(name)
        # The name is an identifier: nothing else can reach the text that is evaluated.
        getter = eval(f"lambda _: {source.expression}.{name}", source.names)
        setattr(kind, name, property(getter))


for _name, _method in METHODS.items():
    _method.__name__ = _name
    setattr(LocalProxy, _name, _method)
type.__setattr__(LocalProxy, "__doc__", _Doc(LocalProxy.__doc__))
