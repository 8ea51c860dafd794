"""Faults that befall requests on purpose: at which place of a request, and as what.

An application that cleans up as its framework documents (teardown functions, try and finally) comes
through all of them. So nothing is raised at a line of the application's own that could not raise
by itself, and nothing while a teardown runs: what comes after a failing teardown function is not
run by any framework, and no application can make up for that.
"""

from __future__ import annotations

import logging

from ctxsim.cell.visits import Request

# Where an error may show. A request that never comes to its place fails at the next one that fits.
HOOK, BLOCKING, VIEW, TEARDOWN = "hook", "blocking call", "view", "teardown"
# The same for applications whose framework is not known: they read a body, and give one in parts.
INPUT, PART = "input", "part"
_PLACES = (
    frozenset({HOOK, INPUT, VIEW, TEARDOWN, PART}),
    frozenset({BLOCKING, VIEW, TEARDOWN, PART}),
    frozenset({VIEW, INPUT, TEARDOWN, PART}),
    frozenset({TEARDOWN, PART}),
)
# At which of its switch points a request is killed. Most requests have one or two.
_NTH = (1, 1, 1, 2, 2, 3, 5, 8)
# How often the worker of a client that has left gives way before it closes the response.
LATE = 4


class InjectedError(Exception):
    """What a request raises that was chosen to fail; applications see it as any other error."""


class InjectedTimeoutError(BaseException):
    """The same as the timeouts of servers raise it (gunicorn, gevent): no Exception catches it."""


class InjectedKillError(BaseException):
    """What a killed request raises, where no greenlet carries it, which has GreenletExit."""


INJECTED = (InjectedError, InjectedTimeoutError, InjectedKillError)
_WHY = "this request was chosen to fail, to see what it leaves behind"


def fail(request: Request, place: str = INPUT) -> None:
    """Raise in the name of `request`, once, if it was chosen to fail at `place`."""
    if request.fault != "error" or request.faulted or request.sheltered:
        return
    drawn = request.fault_draw
    if place in _PLACES[drawn & 3]:
        befall(request)
        raise InjectedError(_WHY) if drawn >> 2 & 3 else InjectedTimeoutError(_WHY)


def is_killed(request: Request) -> bool:
    """Whether `request`, which has come to one more switch point, is to be killed at it."""
    if request.fault != "cancel" or request.faulted:
        return False
    request.switches += 1
    if request.sheltered or request.switches < _NTH[request.fault_draw & 7]:
        return False
    befall(request, request.switches, "switch point")
    return True


def befall(request: Request, count: int = 0, what: str = "") -> None:
    """The fault that was chosen for `request` befalls it, at its await or switch point `count`."""
    request.faulted = True
    if request.on_fault is not None:
        request.on_fault(count, what)


def was_killed(request: Request) -> bool:
    """Whether it is by our doing that the worker of `request` was killed."""
    return request.faulted and request.fault == "cancel"


def kill(request: Request) -> None:
    """Raise what kills `request` if it is to be killed at this switch point."""
    if is_killed(request):
        raise InjectedKillError(_WHY)


def leaves_unread(request: Request) -> bool:
    """Whether the client of `request` has left before the first part of the response."""
    if request.fault != "abort" or request.fault_draw & 3:
        return False
    request.faulted = True
    return True


def turns_before_close(request: Request) -> int:
    """How often others have their turn before the response is closed that nobody reads on."""
    return LATE if request.fault_draw & 3 == 1 else 0


def not_injected(record: logging.LogRecord) -> bool:
    """A logging filter: what a request was made to raise is no news, and its traceback is long."""
    return not (record.exc_info and isinstance(record.exc_info[1], INJECTED))
