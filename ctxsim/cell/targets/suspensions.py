"""A coroutine's suspensions: told of when it goes on, and cancelled at one of them.

A coroutine is driven here exactly as a task drives it (PEP 492): what it yields to the loop is
passed on, and what the loop sends or throws is passed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, TypeVar

from ctxsim.cell.targets.faults import befall
from ctxsim.cell.visits import Request

T = TypeVar("T")

# Most views suspend a few times; a later one would hardly ever come.
_MOST_SUSPENSIONS = 8


class Resumed:
    """Awaits a coroutine and calls `on_resume` each time that it goes on, in its own context."""

    __slots__ = ("_awaited", "_on_resume")

    def __init__(self, awaited: Awaitable[Any], on_resume: Callable[[], object]) -> None:
        self._awaited = awaited
        self._on_resume = on_resume

    def __await__(self) -> Generator[Any, Any, Any]:
        return _driven(self._awaited, lambda: None, self._on_resume)


class Cancelled:
    """Awaits a coroutine whose task is cancelled when it suspends for the n-th time.

    By count, not by time; one that suspends less often simply ends.
    """

    __slots__ = ("_awaited", "_request")

    def __init__(self, awaited: Awaitable[Any], request: Request) -> None:
        self._awaited = awaited
        self._request = request

    def __await__(self) -> Generator[Any, Any, Any]:
        # Whoever has come here runs a loop; no other cell should load asyncio.
        from asyncio import current_task  # noqa: PLC0415 - see above

        request = self._request
        left = count = request.fault_draw % _MOST_SUSPENSIONS + 1
        task = current_task()

        def suspended() -> None:
            nonlocal left
            left -= 1
            if left == 0 and task is not None:
                befall(request, count, "await")
                # The task is running: it throws the error in when it has been told what to wait
                # for, which is where a cancellation from outside would meet it.
                task.cancel()

        return _driven(self._awaited, suspended, lambda: None)


def _driven(
    awaitable: Awaitable[T], on_suspend: Callable[[], object], on_resume: Callable[[], object]
) -> Generator[Any, Any, T]:
    # A coroutine gives an iterator that can be sent to and thrown into, as a generator can.
    coroutine: Any = awaitable.__await__()
    proceed: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        try:
            awaited = proceed()
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        on_suspend()
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
            proceed = partial(coroutine.throw, error)
        else:
            proceed = partial(coroutine.send, sent)
        on_resume()
