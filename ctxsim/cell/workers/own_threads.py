"""The threads to which requests of an event loop hand work: one for all, or some of its own."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

_Sent = ParamSpec("_Sent")
_Result = TypeVar("_Result")

# As a loop calls those that it begins itself.
_PREFIX = "asyncio"
_ANYIO = "anyio._backends._asyncio"
# Which hold the threads of a loop that wait for work, and all there are of it.
_OF_ANYIO = ("_threadpool_idle_workers", "_threadpool_workers")


class _OneFirst(ThreadPoolExecutor):
    """One thread for what is handed over one after the other; others where it is at work.

    A pool begins another thread also where the first has ended its work, but does not wait yet.
    """

    def __init__(self) -> None:
        super().__init__(1, _PREFIX)
        self._others = ThreadPoolExecutor(thread_name_prefix=_PREFIX)
        self._at_work = 0

    def submit(
        self, fn: Callable[_Sent, _Result], /, *args: _Sent.args, **kwargs: _Sent.kwargs
    ) -> Future[_Result]:
        if self._at_work:
            return self._others.submit(fn, *args, **kwargs)
        self._at_work += 1
        return super().submit(self._carried, partial(fn, *args, **kwargs))

    def _carried(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        finally:
            # Before anyone hears of it.
            self._at_work -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._others.shutdown(wait, cancel_futures=cancel_futures)


def one_for_all() -> None:
    """Have one thread carry what requests hand over one after the other, as anyio does by itself.

    Which of several does is a matter of chance, and so would be what they find there.
    """
    loop = asyncio.get_running_loop()
    if getattr(loop, "_default_executor", None) is None:
        loop.set_default_executor(_OneFirst())


@contextmanager
def own_threads() -> Iterator[None]:
    """What is handed to asyncio's threads, or to anyio's, is not carried by those of the running
    loop meanwhile; they are there again afterwards.

    Where an application has said what each of its threads is to begin with, they are its own.
    """
    with _own_executor(), _own_of_anyio():
        yield


@contextmanager
def _own_executor() -> Iterator[None]:
    loop = asyncio.get_running_loop()
    shared: Any = getattr(loop, "_default_executor", None)
    if getattr(shared, "_initializer", None) is not None:
        yield
        return
    if not isinstance(shared, ThreadPoolExecutor):
        shared = _OneFirst()
    own = _OneFirst()
    loop.set_default_executor(own)
    try:
        yield
    finally:
        loop.set_default_executor(shared)
        own.shutdown(wait=False)


@contextmanager
def _own_of_anyio() -> Iterator[None]:
    anyio = sys.modules.get(_ANYIO)
    if anyio is None or not all(hasattr(anyio, name) for name in _OF_ANYIO):
        yield
        return
    idle, workers = (getattr(anyio, name) for name in _OF_ANYIO)
    shared = idle.get(deque()), workers.get(set())
    own: tuple[deque[Any], set[Any]] = deque(), set()
    idle.set(own[0])
    workers.set(own[1])
    try:
        yield
    finally:
        idle.set(shared[0])
        workers.set(shared[1])
        for worker in tuple(own[1]):
            worker.root_task.remove_done_callback(worker.stop)
            worker.stop()
