"""Runs a function in a copy of this process, so that it leaves nothing behind here."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import nullcontext

# Gevent patches some of them in `os`, and its own wait for its hub: `close` too.
from posix import close, fork, pipe, read, waitpid
from typing import Any, TypeVar

from ctxsim.errors import CtxsimError, SearchEndedError, TargetError

Result = TypeVar("Result")

_CHUNK_BYTES = 1 << 20


def in_fork(work: Callable[[], Result], lock: Any = None) -> Result:
    """What `work` returns, which must be picklable.

    `lock` is one that another thread takes now and then: the copy, which has not that thread, must
    not find it taken for ever.

    Raises SearchEndedError if the application ended the copy, or if `work` did, TargetError if
    `work` did, and CtxsimError with the traceback of whatever else it raised.
    """
    reading, writing = pipe()
    with lock or nullcontext():
        child = _fork()
    if child == 0:
        close(reading)
        _carry_out(work, writing)
    close(writing)
    try:
        data = _all_of(reading)
    finally:
        close(reading)
        _, status = waitpid(child, 0)
    if not data:
        raise _ended(os.waitstatus_to_exitcode(status))
    is_result, value = pickle.loads(data)
    if not is_result:
        raise value
    result: Result = value
    return result


def _fork() -> int:
    # The ticker's thread is nothing that the copy needs; Python 3.12 warns of any.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return fork()


def _carry_out(work: Callable[[], object], writing: int) -> None:
    """In the copy: it never returns, whatever the application does."""
    leave = os._exit
    try:
        try:
            told = pickle.dumps((True, work()))
        except BaseException as error:  # noqa: BLE001 - the process that forked has to hear of it
            told = pickle.dumps((False, _told(error)))
        with open(writing, "wb", closefd=False) as end:
            end.write(told)
        for output in (sys.stdout, sys.stderr):
            output.flush()
    finally:
        leave(0)


def _all_of(reading: int) -> bytes:
    parts = []
    while part := read(reading, _CHUNK_BYTES):
        parts.append(part)
    return b"".join(parts)


def _told(error: BaseException) -> CtxsimError:
    if isinstance(error, (SearchEndedError, TargetError)):
        return error
    return CtxsimError("".join(traceback.format_exception(error)))


def _ended(code: int) -> SearchEndedError:
    if code < 0:
        return SearchEndedError("crash", f"a copy was ended by {signal.Signals(-code).name}")
    return SearchEndedError("exit", f"a copy exited with code {code} amid its requests")
