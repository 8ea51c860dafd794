"""Monkey-patching, and what must be kept from before it."""

from __future__ import annotations

import _thread
import contextlib
import select
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from ctxsim.cell.plan import Workers

# 1 microsecond between two chances to switch: that alone finds many races 10 to 1,000 times sooner.
_SWITCH_INTERVAL_S = 1e-6


class Native:
    """The interpreter's own threads, locks, waits and clock, whatever is patched later."""

    def __init__(self) -> None:
        self.start_thread: Callable[..., int] = _thread.start_new_thread
        self.allocate_lock: Callable[[], Any] = _thread.allocate_lock
        self.thread_local: type = _thread._local
        self.select = select.select
        self.sleep: Callable[[float], None] = time.sleep  # noqa: TID251 - what a thread's pause is
        self.clock_s: Callable[[], float] = time.perf_counter

    def use_short_switches(self) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL_S)


def patch_before(workers: Workers) -> None:
    """Patch what the worker model has patched before the application is imported."""
    if workers.model == "threads x greenlets" or workers.variant == "partial":
        _patch(thread=False)
    elif workers.model == "greenlets" and workers.variant in (None, "copied"):
        _patch(thread=True)


def patch_after(workers: Workers) -> None:
    """Patch what the worker model has patched only when the application was imported already."""
    if workers.variant == "late":
        _patch(thread=True)


def patched_time() -> bool:
    """Whether sleeping lets other greenlets run, whoever patched it."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("time"))


def _patch(*, thread: bool) -> None:
    from gevent import monkey  # noqa: PLC0415 - only cells with greenlets need gevent

    with _entry_points_read_once(), warnings.catch_warnings():
        # gevent warns of modules that were imported before; in a `late` cell that is the point.
        warnings.simplefilter("ignore")
        monkey.patch_all(thread=thread)


@contextlib.contextmanager
def _entry_points_read_once() -> Iterator[None]:
    """What is asked for the entry points of installed packages reads their files only once.

    gevent asks at each of some 25 steps, by way of the module, whether anyone wants to hear of it:
    where a hundred packages are installed, that is four fifths of the time that patching takes.
    """
    from importlib import metadata  # noqa: PLC0415 - only cells with greenlets need it

    asked, found = metadata.entry_points, metadata.entry_points()
    # Without a group, all are given away, as ever.
    metadata.entry_points = found.select
    try:
        yield
    finally:
        metadata.entry_points = asked
