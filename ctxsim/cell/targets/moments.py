"""The moments of a request that a framework's methods tell of: what is looked at, what befalls it.

Each function here wraps one method of an application and gives the method to put in its place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ctxsim.cell.targets.faults import HOOK, TEARDOWN, VIEW, fail
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.reasons import keep_reason
from ctxsim.cell.witness.record import Current

Method = Callable[..., Any]

_SERVER_ERROR = 500


class Moments:
    """Wraps the methods by which an application carries a request."""

    def __init__(self, current: Current, inside: Inside) -> None:
        self._current = current
        self._inside = inside

    def hooks(self, method: Method) -> Method:
        """Wrap what runs the application's hooks, which may answer in place of the view.

        By then they have set what they set for each request, which is what an unguarded failure
        leaves behind.
        """
        if not self._inside.is_asked_midway:
            return method

        def hooks_then(*args: Any) -> Any:
            answer = method(*args)
            if answer is None:
                self.hooks_ended()
            return answer

        return hooks_then

    def hooks_ended(self) -> None:
        """The application's hooks have run."""
        request = self._current.get()
        if request is not None:
            request.hooked = True
            self._inside.probe(request, "when it began")
            self._fail(request, HOOK)

    def view(self, method: Method) -> Method:
        """Wrap what runs the view."""
        if not self._inside.is_asked_midway:
            return method

        def view_then(*args: Any) -> Any:
            # A call that spreads its arguments keeps more on the stack of each request that waits,
            # and takes longer.
            answer = method(args[0]) if len(args) == 1 else method(*args) if args else method()
            self.view_ended()
            return answer

        return view_then

    def view_ended(self) -> None:
        """The view has run."""
        request = self._current.get()
        if request is not None:
            self._inside.probe(request, "after its view")
            self._fail(request, VIEW)

    def teardown(self, method: Method, which: str) -> Method:
        """Wrap what runs the application's teardowns of `which` context."""
        current, inside = self._current, self._inside
        last = which == "request"

        def teardown_then(*args: Any, **named: Any) -> None:
            request = current.get()
            if request is None:
                method(*args, **named)
                return
            if last and inside.probes is not None:
                inside.probe(request, "in its teardown")
            sheltered, request.sheltered = request.sheltered, True
            try:
                if named or len(args) != 1:
                    method(*args, **named)
                else:
                    # As Flask calls it up to 3.1; to spread arguments takes longer.
                    method(args[0])
            finally:
                request.sheltered = sheltered
                # After the application's own, also where one of them raises.
                inside.torn_down(request, which)
            if last and request.fault is not None:
                # One more teardown function, which comes after all the others and fails.
                self._fail(request, TEARDOWN)

        return teardown_then

    def errors(self, method: Method) -> Method:
        """Wrap what answers for an error: it takes that as its last argument."""

        def errors_then(*args: Any) -> Any:
            answer = method(*args)
            # Not of one that it raises again: who answers for that comes later.
            if not _refuses(args[-1]):
                keep_reason(self._current, args[-1])
            return answer

        return errors_then

    def _fail(self, request: Request, place: str) -> None:
        # Not in a request that the application makes itself, by a test client or for a template.
        if request.fault == "error" and self._inside.carries(request):
            fail(request, place)


def _refuses(error: BaseException) -> bool:
    """Whether it says that a request is refused, as with 404: that is no failure of the view's."""
    kind = sys.modules["werkzeug.exceptions"].HTTPException
    return isinstance(error, kind) and (error.code or 0) < _SERVER_ERROR
