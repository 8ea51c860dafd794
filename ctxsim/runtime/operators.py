"""What Python looks up on the type and not on the object, forwarded to the proxied object.

Each method applies the built-in operation to the object instead of calling the object's own method,
because `operator.add(a, b)` also tries `b.__radd__`, and raises the very TypeError that the object
would raise.
"""

from __future__ import annotations

import copy
import math
import operator
import os
from collections.abc import Callable
from typing import Any

Method = Callable[..., Any]


def forward(operation: Callable[..., Any]) -> Method:
    """Make a method that applies `operation` to the object and the method's arguments."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return operation(self._get_current_object(), *args, **kwargs)

    return method


def forward_one(operation: Callable[[Any, Any], Any]) -> Method:
    """Do as `forward`, in half the time, for what is always called with one argument."""

    def method(self: Any, value: Any) -> Any:
        return operation(self._get_current_object(), value)

    return method


def forward_two(operation: Callable[[Any, Any, Any], object]) -> Method:
    """Do as `forward`, in half the time, for what is always called with two arguments."""

    def method(self: Any, key: Any, value: Any) -> Any:
        return operation(self._get_current_object(), key, value)

    return method


def reflected(operation: Callable[[Any, Any], Any]) -> Method:
    """Make the method that Python calls when the proxy stands on the right."""

    def method(self: Any, other: Any) -> Any:
        return operation(other, self._get_current_object())

    return method


def in_place(operation: Callable[[Any, Any], Any]) -> Method:
    """Make an augmented assignment.

    An object that changes itself stays proxied; one that gives a new object, as a number does, is
    replaced by it, because the name on the left would otherwise keep the old value.
    """

    def method(self: Any, other: Any) -> Any:
        proxied = self._get_current_object()
        result = operation(proxied, other)
        return self if result is proxied else result

    return method


def by_type(name: str) -> Method:
    """Make a method that calls the object's type's `name`, for what has no built-in operation."""

    def method(self: Any, *args: Any) -> Any:
        proxied = self._get_current_object()
        try:
            found = getattr(type(proxied), name)
        except AttributeError:
            kind = type(proxied).__name__
            raise TypeError(f"{kind!r} object has no {name}, which this use of it needs") from None
        return found(proxied, *args)

    return method


_BINARY = [
    "add", "sub", "mul", "truediv", "floordiv", "mod", "matmul",
    "lshift", "rshift", "and", "or", "xor",
]  # fmt: skip
_COMPARISON = ["lt", "le", "eq", "ne", "gt", "ge"]
_ASYNC = ["await", "aiter", "anext", "aenter", "aexit", "enter", "exit"]

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "__str__": str,
    "__bytes__": bytes,
    "__format__": format,
    "__hash__": hash,
    "__call__": lambda proxied, *args, **kwargs: proxied(*args, **kwargs),
    "__len__": len,
    "__length_hint__": operator.length_hint,
    "__iter__": iter,
    "__next__": next,
    "__reversed__": reversed,
    "__divmod__": divmod,
    "__pow__": pow,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__abs__": abs,
    "__invert__": operator.invert,
    "__int__": int,
    "__float__": float,
    "__complex__": complex,
    "__index__": operator.index,
    "__round__": round,
    "__trunc__": math.trunc,
    "__floor__": math.floor,
    "__ceil__": math.ceil,
    "__fspath__": os.fspath,
    "__copy__": copy.copy,
    "__deepcopy__": copy.deepcopy,
    "__instancecheck__": lambda proxied, instance: isinstance(instance, proxied),
    "__subclasscheck__": lambda proxied, subclass: issubclass(subclass, proxied),
    "__reduce_ex__": lambda proxied, protocol: proxied.__reduce_ex__(protocol),
}


# What views do to `g` and `session` all the time.
_WITH_ONE: dict[str, Callable[[Any, Any], Any]] = {
    "__getitem__": operator.getitem,
    "__delitem__": operator.delitem,
    "__contains__": operator.contains,
    "__delattr__": delattr,
}
_WITH_TWO: dict[str, Callable[[Any, Any, Any], object]] = {
    "__setitem__": operator.setitem,
    "__setattr__": setattr,
}


def _methods() -> dict[str, Method]:
    methods = {name: forward(operation) for name, operation in _OPERATIONS.items()}
    methods |= {name: forward_one(operation) for name, operation in _WITH_ONE.items()}
    methods |= {name: forward_two(operation) for name, operation in _WITH_TWO.items()}
    for word in _BINARY:
        plain = getattr(operator, f"__{word}__")
        methods[f"__{word}__"] = forward(plain)
        methods[f"__r{word}__"] = reflected(plain)
        methods[f"__i{word}__"] = in_place(getattr(operator, f"__i{word}__"))
    for word in _COMPARISON:
        methods[f"__{word}__"] = forward(getattr(operator, f"__{word}__"))
    for word in _ASYNC:
        methods[f"__{word}__"] = by_type(f"__{word}__")
    methods["__rpow__"] = reflected(pow)
    methods["__rdivmod__"] = reflected(divmod)
    methods["__ipow__"] = in_place(operator.ipow)
    # PEP 688: memoryview(proxy), from Python 3.12 on.
    methods["__buffer__"] = forward(lambda proxied, flags: memoryview(proxied))
    return methods


METHODS = _methods()
