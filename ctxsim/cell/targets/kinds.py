"""What kind of application an object is, as far as it can be told without calling it."""

from __future__ import annotations

import inspect
from typing import Any

_ASGI: tuple[object, ...] = ({}, None, None)
_WSGI: tuple[object, ...] = ({}, None)


def is_asgi(app: object) -> bool:
    """Whether `app` is an ASGI application for certain: what it gives when called is awaited.

    Functions that return another's coroutine cannot be told from WSGI's; they are named by
    `kind: asgi`.
    """
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
        getattr(type(app), "__call__", None)  # noqa: B004 - not whether it can be called, but how
    )


def why_not_asgi(app: Any) -> tuple[str, str] | None:
    """Why `app` cannot be called as ASGI 3 has it, and what to write instead; None if it can."""
    if inspect.isclass(app):
        if is_asgi_2(app):
            return (
                "an application of ASGI 2, which is called twice",
                "wrap it: asgiref.compatibility.guarantee_single_callable",
            )
        return "a class", "name an instance of it, or a factory with '()'"
    if is_asgi_2(app):
        return (
            "an application of ASGI 2, or a factory",
            "write '()' to have it called, or wrap it with "
            "asgiref.compatibility.guarantee_single_callable",
        )
    if not callable(app) or not _takes(app, _ASGI):
        return (
            f"{described(app)} that takes no scope, receive and send",
            "name an ASGI callable, or a factory with '()'",
        )
    return None


def is_asgi_2(app: Any) -> bool:
    """Whether `app` takes the scope alone, and gives what takes receive and send."""
    if inspect.isclass(app):
        call = getattr(app, "__call__", None)  # noqa: B004 - not whether it can be called, but how
        # The instance, then receive and send.
        return inspect.iscoroutinefunction(call) and _takes(call, (None, None, None))
    return inspect.isfunction(app) and list(inspect.signature(app).parameters) == ["scope"]


def wraps_asgi(app: object) -> bool:
    """Whether `app` takes what ASGI gives and cannot take what WSGI gives."""
    return callable(app) and _takes(app, _ASGI) and not _takes(app, _WSGI)


def looks_like_factory(app: object) -> bool:
    """Whether `app` is a function that cannot be called with two arguments, as WSGI does."""
    if not inspect.isfunction(app) or _takes(app, _WSGI):
        return False
    # A decorator that makes an application of something else, such as Werkzeug's
    # `Request.application`, says that it wraps it, and is what is called all the same.
    return not _takes_itself(app, _WSGI)


def described(app: object) -> str:
    """What `app` is, for a message."""
    if is_asgi(app):
        return "an ASGI application"
    return f"a {type(app).__module__}.{type(app).__qualname__}"


def _takes_itself(app: Any, arguments: tuple[object, ...]) -> bool:
    """Whether `app` takes these, whatever it says that it wraps."""
    try:
        inspect.signature(app, follow_wrapped=False).bind(*arguments)
    except TypeError:
        return False
    return True


def _takes(app: Any, arguments: tuple[object, ...]) -> bool:
    try:
        inspect.signature(app).bind(*arguments)
    except TypeError:
        return False
    except ValueError:
        # What is written in C may have no signature to ask for.
        return True
    return True
