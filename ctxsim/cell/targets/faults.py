"""Faults that befall requests on purpose."""

from __future__ import annotations

import logging

from ctxsim.cell.visits import Request
from ctxsim.cell.witness.record import Current


class InjectedError(Exception):
    """What a request raises that was chosen to fail; applications see it as any other error."""


def fail(request: Request) -> None:
    """Raise in the name of `request`, once, if it was chosen to fail."""
    if request.fault == "error" and not request.faulted:
        request.faulted = True
        raise InjectedError("this request was chosen to fail, to see what it leaves behind")


class FailingHook:
    """A before_request function that comes after the application's own.

    By then the application's hooks have set what they set for each request, which is what an
    unguarded failure leaves behind.
    """

    __name__ = "ctxsim_failing_hook"

    def __init__(self, current: Current) -> None:
        self._current = current

    def __call__(self) -> None:
        request = self._current.get()
        if request is not None:
            fail(request)


def not_injected(record: logging.LogRecord) -> bool:
    """A logging filter: what a request was made to raise is no news, and its traceback is long."""
    return not (record.exc_info and isinstance(record.exc_info[1], InjectedError))
