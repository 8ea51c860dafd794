"""Why requests failed: what was raised, and where in the application."""

from __future__ import annotations

import logging
import re
import traceback

from ctxsim.cell import canaries
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.record import Current, is_application_file, shown_file

_CANARY = re.compile(rf"cx[0-9a-f]{{{canaries.LENGTH - 2}}}")
# Where an object lies tells nobody anything, and is another place in each run.
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+(?=>)")
_LONGEST = 200
_SERVER_ERROR = 500


def reason_of(error: BaseException) -> str:
    """What an error says, in one line, and where the application's own code raised it, or called
    what did: `KeyError: 'user' (shop/views.py:31)`. Canaries are told as what they are."""
    said = without_addresses(" ".join(traceback.format_exception_only(error)[-1].split()))
    said = "".join(each for each in said if each.isprintable())
    said = _CANARY.sub("{canary}", said)
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    frames = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
    own = [f"{shown_file(file)}:{line}" for file, line in frames if is_application_file(file)]
    return f"{said} ({own[-1]})" if own else said


def without_addresses(text: str) -> str:
    """What an error says of objects, without where they lie in memory."""
    return _ADDRESS.sub("", text)


def keep_reason(current: Current, error: BaseException) -> None:
    """Keep why the request fails that the worker carries.

    In words, since an error that was kept would keep alive what its frames hold.
    """
    request = current.get()
    if request is not None and not request.faulted:
        request.raised = reason_of(error)


def reason_for(request: Request, response: Response) -> str:
    """Why a request was answered with a server's error, '' where nothing tells."""
    if response.error is not None:
        return reason_of(response.error)
    return request.raised if response.status >= _SERVER_ERROR else ""


class Logged(logging.Handler):
    """Hears of the errors that the application logs: frameworks answer 500, and log the reason."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep why, in place of what was kept."""
        if record.exc_info and record.exc_info[1] is not None:
            self._reason = reason_of(record.exc_info[1])

    def take(self) -> str:
        """The last reason that was logged since this was called before, '' where none was."""
        reason, self._reason = self._reason, ""
        return reason
