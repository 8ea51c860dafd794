"""A streamed body that is made inside the contexts of its request."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import wraps
from typing import Any

from ctxsim.errors import OutsideContextError
from ctxsim.runtime.stacks import STACKS


def stream_with_context(generator: Any) -> Any:
    """Keep the current contexts for `generator`, which runs when the view has returned long ago.

    `generator` is an iterable, or, used as a decorator, a function that gives one. The contexts are
    pushed again when the first part is asked for, and popped at the end.

    Raises OutsideContextError where no request context is pushed.
    """
    if hasattr(generator, "__iter__"):
        return _kept(iter(generator))
    function: Callable[..., Iterable[Any]] = generator

    @wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Iterator[Any]:
        return _kept(iter(function(*args, **kwargs)))

    return decorated


def _kept(parts: Iterator[Any]) -> Iterator[Any]:
    generator = _stream(parts)
    # Runs it to the first yield, where it has noted the contexts: they are not current any more
    # when the first part is asked for.
    next(generator)
    return generator


def _stream(parts: Iterator[Any]) -> Generator[Any, None, None]:
    request_context = STACKS.request_get()
    if request_context is None:
        raise OutsideContextError(
            "stream_with_context was called outside of a request context, so there is none to keep."
            " Call it in a view, or push one by hand with `with app.test_request_context(...):`."
        )
    app_context = STACKS.app_get()
    yield None
    with app_context, request_context:
        try:
            yield from parts
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
