"""Runs a function in a copy of this process, so that it leaves nothing behind here."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

# Gevent patches some of them in `os`, and its own wait for its hub: `close` too.
from posix import close, fork, pipe, read, waitpid
from typing import Any, Generic, TypeVar

from ctxsim.cell.schedule.statements import FILES, read_ahead
from ctxsim.errors import CtxsimError, SearchEndedError, TargetError

Result = TypeVar("Result")
Asked = TypeVar("Asked")

_LENGTH_BYTES = 8
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
        # By its length: a process that the application has started may keep the other end open.
        data = _received(reading)
    finally:
        close(reading)
        _, status = waitpid(child, 0)
    if not data:
        raise _ended(os.waitstatus_to_exitcode(status))
    is_result, value, files = pickle.loads(data)
    read_ahead(files)
    if not is_result:
        raise value
    result: Result = value
    return result


class Standing(Generic[Asked, Result]):
    """A copy of this process that stays: it carries out what takes long once, and then answers.

    `begin` does the former there, and gives what answers; each answer is given in a copy of that
    copy, so that all begin from the same state. Both are picklable. Raises as `in_fork` does.
    """

    def __init__(self, begin: Callable[[], Callable[[Asked], Result]], lock: Any = None) -> None:
        asked, self._asking = pipe()
        self._reading, answering = pipe()
        with lock or nullcontext():
            self._child = _fork()
        if self._child == 0:
            close(self._asking)
            close(self._reading)
            _answer_all(begin, lock, asked, answering)
        close(asked)
        close(answering)

    def ask(self, question: Asked) -> Result:
        """The answer to a question."""
        try:
            _send(self._asking, question)
        except BrokenPipeError:
            raise _ended(self._status()) from None
        data = _received(self._reading)
        if data is None:
            raise _ended(self._status())
        is_result, value = pickle.loads(data)
        if not is_result:
            raise value
        result: Result = value
        return result

    def end(self) -> None:
        """Let the copy end; it is asked nothing more."""
        close(self._asking)
        close(self._reading)
        if self._child:
            self._status()

    def _status(self) -> int:
        _, status = waitpid(self._child, 0)
        self._child = 0
        return os.waitstatus_to_exitcode(status)


def _answer_all(
    begin: Callable[[], Callable[[Any], Any]], lock: Any, asked: int, answering: int
) -> None:
    """In the copy: it never returns, whatever the application does."""
    leave = os._exit
    try:
        answer: Callable[[Any], Any] | None = None
        while (data := _received(asked)) is not None:
            question = pickle.loads(data)
            try:
                answer = answer or begin()
                told = True, in_fork(partial(answer, question), lock)
            except BaseException as error:  # noqa: BLE001 - the process that forked has to hear of it
                told = False, _told(error)
            _send(answering, told)
    finally:
        leave(0)


def _send(writing: int, value: object) -> None:
    _write(writing, pickle.dumps(value))


def _write(writing: int, data: bytes) -> None:
    with open(writing, "wb", closefd=False) as end:
        end.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)


def _received(reading: int) -> bytes | None:
    """One value's bytes; None where there is none to come."""
    length = _bytes_of(reading, _LENGTH_BYTES)
    return None if not length else _bytes_of(reading, int.from_bytes(length, "big"))


def _bytes_of(reading: int, count: int) -> bytes:
    parts = []
    while count and (part := read(reading, min(count, _CHUNK_BYTES))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts) if not count else b""


def _fork() -> int:
    # The ticker's thread is nothing that the copy needs; Python 3.12 warns of any.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = fork()
    if child == 0:
        # Executions collect what they leave. Any other collection comes when the origin has made
        # so many objects, and looks at all of its memory, which is copied for that.
        gc.disable()
    return child


def _carry_out(work: Callable[[], object], writing: int) -> None:
    """In the copy: it never returns, whatever the application does."""
    leave = os._exit
    known = len(FILES)
    try:
        try:
            told = pickle.dumps((True, work(), [*FILES][known:]))
        except BaseException as error:  # noqa: BLE001 - the process that forked has to hear of it
            told = pickle.dumps((False, _told(error), [*FILES][known:]))
        _write(writing, told)
        for output in (sys.stdout, sys.stderr):
            output.flush()
    finally:
        leave(0)


def _told(error: BaseException) -> CtxsimError:
    if isinstance(error, (SearchEndedError, TargetError)):
        return error
    return CtxsimError("".join(traceback.format_exception(error)))


def _ended(code: int) -> SearchEndedError:
    if code < 0:
        return SearchEndedError("crash", f"a copy was ended by {signal.Signals(-code).name}")
    return SearchEndedError("exit", f"a copy exited with code {code} amid its requests")
