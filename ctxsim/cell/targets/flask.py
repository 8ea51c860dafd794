"""Flask applications: their contexts as Flask's own proxies show them.

Flask is never imported here: it is the application's, in the version that the application has.
Hooks are put into the lists that every Flask since 1.0 keeps, since its signals need blinker, which
Flask before 2.3 may lack.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Any

from ctxsim.cell.targets.faults import FailingHook, not_injected
from ctxsim.cell.targets.wsgi import CARRIED
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.record import Current


class FlaskView:
    """Flask's contexts, read through `request`, `g` and `session`."""

    def __init__(self, flask: Any) -> None:
        self._request = flask.request
        self._g = flask.g
        self._session = flask.session
        self._request_class = flask.Request
        self.has_request = flask.has_request_context
        self.has_app = flask.has_app_context

    def all_own(self, request: Request) -> bool:
        if not self.has_request() or self._request.environ.get(CARRIED) is not request:
            return False
        session = self._session._get_current_object()
        if session is not request.session or session:
            return False
        return self._g._get_current_object() is request.g

    def carried(self) -> Request | None:
        found: Request | None = self._request.environ.get(CARRIED)
        return found

    def g(self) -> object:
        return self._g._get_current_object()

    def belongs_to(self, thing: object) -> Request | None:
        # By its type, not by isinstance: a proxy would pass for what it leads to.
        if not issubclass(type(thing), self._request_class):
            return None
        found: Request | None = thing.environ.get(CARRIED)  # type: ignore[attr-defined]
        return found

    def session(self) -> object | None:
        return self._session._get_current_object()  # type: ignore[no-any-return]

    def held(self) -> Iterator[tuple[str, object]]:
        # Werkzeug's locals are context variables, which are searched anyway.
        return iter(())


class FlaskHooks:
    """Tells `Inside` of each request of the Flask applications in this process."""

    def __init__(self, flask: Any, current: Current) -> None:
        self._kind = flask.Flask
        self._current = current

    def watch(self, inside: Inside) -> None:
        for app in applications(self._kind):
            self._hook(app, inside)

    def _hook(self, app: Any, inside: Inside) -> None:
        before = app.before_request_funcs.setdefault(None, [])
        app.logger.addFilter(not_injected)
        before.insert(0, inside.begin)
        before.append(FailingHook(self._current))
        # Teardowns run in reverse: the first in the list sees what all the others left.
        teardown = app.teardown_request_funcs.setdefault(None, [])
        teardown.insert(0, lambda _error: inside.teardown("request"))
        app.teardown_appcontext_funcs.insert(0, lambda _error: inside.teardown("app context"))


def applications(kind: type) -> list[Any]:
    """All applications in the process, also those inside middleware and dispatchers."""
    return [each for each in gc.get_objects() if isinstance(each, kind)]


def flask_of() -> Any | None:
    """The Flask that the application imported; None if there is no Flask application."""
    flask = sys.modules.get("flask")
    if flask is None or not applications(getattr(flask, "Flask", type(None))):
        return None
    return flask


def session_cookie(flask: Any) -> str:
    """The name of the session cookie of the first application."""
    config = applications(flask.Flask)[0].config
    return str(config.get("SESSION_COOKIE_NAME", "session"))
