"""Flask applications, since 2.2: their contexts as Flask's own proxies show them.

Older ones are served as any other WSGI application.

Up to 3.1 a request has two contexts, one of the application and one of its own. From 3.2 on it has
one, which an app context that is pushed already does not take the place of.

Flask is never imported here: it is the application's, in the version that the application has. It
is watched through the methods of `Flask` that documentation offers for overriding: its signals
need blinker, which Flask before 2.3 may lack, and a hook function costs three times as much.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from ctxsim.cell.objects import instances
from ctxsim.cell.targets.faults import not_injected
from ctxsim.cell.targets.moments import Moments
from ctxsim.cell.targets.wsgi import CARRIED
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.claims import OwnersOfG
from ctxsim.cell.witness.escapes import listen_to
from ctxsim.cell.witness.inside import Inside, LookUp
from ctxsim.cell.witness.record import Current


class FlaskView:
    """Flask's contexts, read through `request`, `g` and `session`."""

    def __init__(self, flask: Any) -> None:
        # The proxies' own functions: asked for once, since a proxy is slow to give an attribute.
        self._proxies = {"request": flask.request, "g": flask.g, "session": flask.session}
        self._request = flask.request._get_current_object
        self.g: Callable[[], object] = flask.g._get_current_object
        self._context: Callable[[], Any] = request_context(flask)._get_current_object
        self._request_class = flask.Request
        self.owners_of_g = OwnersOfG()
        self._owner_of_g = self.owners_of_g.claim
        self.has_request: Callable[[], bool] = flask.has_request_context
        self.has_app: Callable[[], bool] = flask.has_app_context
        # Werkzeug's locals are context variables, which are searched anyway.
        self.held = None

    def is_clear(self) -> bool:
        # Both contexts are context variables: mostly none is set, which is known at once.
        return not copy_context() or not (self.has_request() or self.has_app())

    def all_own(self, request: Request) -> bool:
        try:
            context = self._context()
            # As the proxy `request` gives it: each proxy that is asked takes as long as all this.
            if context.request.environ.get(CARRIED) is not request:
                return False
        except RuntimeError:
            # Working outside of request context.
            return False
        return not held_session(context) and self.has_own_g(request)

    def has_own_g(self, request: Request) -> bool:
        try:
            g = self.g()
        except RuntimeError:
            # Working outside of application context.
            return False
        return self._owner_of_g(g, request) is request

    def carried(self) -> Request | None:
        found: Request | None = self._request().environ.get(CARRIED)
        return found

    def session(self) -> object | None:
        return held_session(self._context())

    def belongs_to(self, thing: object) -> Request | None:
        # By its type, not by isinstance: a proxy would pass for what it leads to.
        if not issubclass(type(thing), self._request_class):
            return None
        found: Request | None = thing.environ.get(CARRIED)  # type: ignore[attr-defined]
        return found

    def listen(self, heard: Callable[[str, LookUp], LookUp]) -> None:
        listen_to(self._proxies, heard)


def request_context(framework: Any) -> Any:
    """The proxy to the context in which the current request is, in Flask and in Quart."""
    names = vars(framework.globals)
    # By the module's names, since to ask for it where it has gone gives a warning.
    return names["request_ctx" if "request_ctx" in names else "app_ctx"]


def held_session(context: object) -> object | None:
    """The session that a context holds; None before it is opened.

    Not by the proxy, which marks the session as accessed: a response then varies by cookie.
    """
    held = vars(context)
    return held["_session"] if "_session" in held else held.get("session")


class FlaskHooks:
    """Tells `Inside` of each request of the Flask applications in this process."""

    def __init__(self, flask: Any, current: Current, owners_of_g: OwnersOfG) -> None:
        self._kind = flask.Flask
        self._owners_of_g = owners_of_g
        self._current = current

    def watch(self, inside: Inside) -> None:
        for app in applications(self._kind):
            self._hook(app, inside)

    def _hook(self, app: Any, inside: Inside) -> None:
        app.logger.addFilter(not_injected)
        self._owners_of_g.adopt(app)
        app.full_dispatch_request = _preceded(app.full_dispatch_request, inside.begin)
        moments = Moments(self._current, inside)
        app.preprocess_request = moments.hooks(app.preprocess_request)
        app.dispatch_request = moments.view(app.dispatch_request)
        app.handle_user_exception = moments.errors(app.handle_user_exception)
        app.handle_exception = moments.errors(app.handle_exception)
        app.do_teardown_request = moments.teardown(app.do_teardown_request, "request")
        app.do_teardown_appcontext = moments.teardown(app.do_teardown_appcontext, "app context")


def _preceded(method: Callable[..., Any], begin: Callable[[], None]) -> Callable[..., Any]:
    def preceded(*args: Any) -> Any:
        begin()
        # To spread no arguments takes longer, and more of the stack, than to see that none came.
        return method(*args) if args else method()

    return preceded


def applications(kind: type) -> list[Any]:
    """All applications in the process, also those inside middleware and dispatchers."""
    return instances(kind)


def flask_of() -> Any | None:
    """The Flask that the application imported; None if it serves nothing, or is too old."""
    flask = sys.modules.get("flask")
    if flask is None or not applications(getattr(flask, "Flask", type(None))):
        return None
    return flask if {"request_ctx", "app_ctx"} & vars(flask.globals).keys() else None


def session_cookie(flask: Any) -> str:
    """The name of the session cookie of the first application."""
    config = applications(flask.Flask)[0].config
    return str(config.get("SESSION_COOKIE_NAME", "session"))
