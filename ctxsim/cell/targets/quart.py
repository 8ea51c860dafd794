"""Quart applications: their contexts as Quart's own proxies show them, which are Flask's.

Up to 0.22 a request has two contexts, one of the application and one of its own; from then on one.

Quart runs each request in a child task of the server's, so its contexts are looked at from inside:
when a request's dispatch begins, whenever it goes on after an await, and in its teardowns.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from ctxsim.cell.objects import instances
from ctxsim.cell.targets.faults import not_injected
from ctxsim.cell.targets.flask import held_session, request_context
from ctxsim.cell.targets.moments import Moments
from ctxsim.cell.targets.suspensions import Resumed
from ctxsim.cell.targets.wsgi import CARRIED
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.claims import OwnersOfG
from ctxsim.cell.witness.escapes import listen_to
from ctxsim.cell.witness.inside import Inside, LookUp
from ctxsim.cell.witness.record import Current


class QuartView:
    """Quart's contexts, read through `request`, `g` and `session`."""

    def __init__(self, quart: Any) -> None:
        # The proxies' own functions: asked for once, since a proxy is slow to give an attribute.
        self._proxies = {"request": quart.request, "g": quart.g, "session": quart.session}
        self._request = quart.request._get_current_object
        self.g: Callable[[], object] = quart.g._get_current_object
        self._context: Callable[[], object] = request_context(quart)._get_current_object
        self._request_class = quart.Request
        self.owners_of_g = OwnersOfG()
        self.has_request: Callable[[], bool] = quart.has_request_context
        self.has_app: Callable[[], bool] = quart.has_app_context
        # Its locals are context variables, which are searched anyway.
        self.held = None

    def is_clear(self) -> bool:
        return not copy_context() or not (self.has_request() or self.has_app())

    def all_own(self, request: Request) -> bool:
        if not self.has_request() or self._request().scope.get(CARRIED) is not request:
            return False
        return not self.session() and self.has_own_g(request)

    def has_own_g(self, request: Request) -> bool:
        return self.has_app() and self.owners_of_g.claim(self.g(), request) is request

    def session(self) -> object | None:
        return held_session(self._context())

    def carried(self) -> Request | None:
        found: Request | None = self._request().scope.get(CARRIED)
        return found

    def belongs_to(self, thing: object) -> Request | None:
        # By its type, not by isinstance: a proxy would pass for what it leads to.
        if not issubclass(type(thing), self._request_class):
            return None
        found: Request | None = thing.scope.get(CARRIED)  # type: ignore[attr-defined]
        return found

    def listen(self, heard: Callable[[str, LookUp], LookUp]) -> None:
        listen_to(self._proxies, heard)


class QuartHooks:
    """Tells `Inside` of each request of the Quart applications in this process."""

    def __init__(self, quart: Any, current: Current, owners_of_g: OwnersOfG) -> None:
        self._kind = quart.Quart
        self._owners_of_g = owners_of_g
        self._current = current

    def watch(self, inside: Inside) -> None:
        for app in instances(self._kind):
            self._hook(app, inside)

    def _hook(self, app: Any, inside: Inside) -> None:
        app.logger.addFilter(not_injected)
        self._owners_of_g.adopt(app)
        dispatched: weakref.WeakSet[Any] = weakref.WeakSet()
        app.full_dispatch_request = _watched(app.full_dispatch_request, inside, dispatched)
        moments = Moments(self._current, inside)
        app.preprocess_request = _hooks(app.preprocess_request, moments)
        app.dispatch_request = _view(app.dispatch_request, moments)
        app.handle_user_exception = moments.errors(app.handle_user_exception)
        app.handle_exception = moments.errors(app.handle_exception)
        app.do_teardown_request = _torn_down(app.do_teardown_request, inside, dispatched)
        app.do_teardown_appcontext = _followed(
            app.do_teardown_appcontext, lambda *_: inside.teardown("app context")
        )


def _watched(
    method: Callable[..., Any], inside: Inside, dispatched: weakref.WeakSet[Any]
) -> Callable[..., Any]:
    async def watched(*args: Any) -> Any:
        inside.begin()
        dispatched.update(args)
        return await Resumed(method(*args), lambda: inside.look("after an await"))

    return watched


def _torn_down(
    method: Callable[..., Any], inside: Inside, dispatched: weakref.WeakSet[Any]
) -> Callable[..., Any]:
    def tell(*args: object) -> None:
        # The error and the context, in this order up to 0.22; either may be left out. Of a copy of
        # the context, which a stream or a task of the request's has, the teardown is the copy's.
        contexts = [each for each in args if not isinstance(each, (BaseException, type(None)))]
        if not contexts or contexts[0] in dispatched:
            inside.teardown("request")

    return _followed(method, tell)


def _hooks(method: Callable[..., Any], moments: Moments) -> Callable[..., Any]:
    async def hooks_then(*args: Any) -> Any:
        answer = await method(*args)
        if answer is None:
            moments.hooks_ended()
        return answer

    return hooks_then


def _view(method: Callable[..., Any], moments: Moments) -> Callable[..., Any]:
    async def view_then(*args: Any) -> Any:
        answer = await method(*args)
        moments.view_ended()
        return answer

    return view_then


def _followed(method: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    # After the application's own teardowns, also where one of them raises.
    async def followed(*args: Any) -> None:
        try:
            await method(*args)
        finally:
            tell(*args)

    return followed


def quart_of() -> Any | None:
    """The Quart that the application imported; None if there is no Quart application."""
    quart = sys.modules.get("quart")
    if quart is None or not instances(getattr(quart, "Quart", type(None))):
        return None
    return quart


def session_cookie(quart: Any) -> str:
    """The name of the session cookie of the first application."""
    config = instances(quart.Quart)[0].config
    return str(config.get("SESSION_COOKIE_NAME", "session"))
