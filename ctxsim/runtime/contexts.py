"""App contexts and request contexts, and the two stacks they are pushed to.

A stack is a linked list: the slot of the selected storage holds the innermost context, which knows
the enclosing one. So a push is one read and one write, and nothing mutable is shared with a copied
context.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any

from werkzeug.routing import MapAdapter

from ctxsim import switchpoint
from ctxsim.errors import ContextOrderError
from ctxsim.runtime import selection
from ctxsim.runtime.requests import Request
from ctxsim.runtime.responses import Response
from ctxsim.runtime.signals import appcontext_popped, appcontext_pushed
from ctxsim.runtime.stacks import STACKS

if TYPE_CHECKING:
    from ctxsim.runtime.application import Application
    from ctxsim.runtime.sessions import Session

# "Take the exception that is being handled": None means that there is none.
_ACTIVE: Any = object()

# Tells one worker from another under any storage, because the interpreter refuses to reset a
# variable with a token that another thread's, greenlet's or task's context gave.
_pushed_here: ContextVar[None] = ContextVar("ctxsim.pushed_here")

Pushed = tuple[Any, "Token[None]", Any]


class Globals:
    """What `g` stands for: a namespace that lives as long as its app context."""

    def get(self, name: str, default: Any = None) -> Any:
        """Give an attribute, or `default` where it is not set."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: Any = _ACTIVE) -> Any:
        """Remove an attribute and give it, or `default`; raises KeyError without a default."""
        if default is _ACTIVE:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Give an attribute, and set it to `default` first where it is not set."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __repr__(self) -> str:
        if (context := STACKS.app_get()) is not None:
            return f"<g of {context.app.name!r}>"
        return object.__repr__(self)


class AppContext:
    """Makes `app` the current one: `current_app` and `g` stand for `.app` and `.g` while pushed.

    A context may be pushed more than once; teardown runs at the last pop. `previous` is the context
    that enclosed it when it was first pushed.
    """

    __slots__ = ("__weakref__", "_again", "_token", "_url_adapter", "app", "g", "previous")

    def __init__(self, app: Application) -> None:
        self.app = app
        self.g = app.make_globals()
        self.previous: AppContext | None = None
        self._token: Token[None] | None = None
        self._again: tuple[Pushed, ...] = ()
        self._url_adapter: MapAdapter | None = None

    @property
    def url_adapter(self) -> MapAdapter | None:
        """What builds addresses outside a request; None unless SERVER_NAME is configured."""
        if self._url_adapter is None:
            self._url_adapter = self.app.outside_adapter()
        return self._url_adapter

    def push(self) -> None:
        """Make this the current app context of the calling worker."""
        previous = STACKS.app_get()
        token = _pushed_here.set(None)
        if self._token is None:
            self.previous = previous
            self._token = token
        else:
            self._again = (*self._again, (previous, token, None))
        STACKS.app_set(self)
        if switchpoint.listener is not None:
            switchpoint.listener("context.push", self)
        if appcontext_pushed.receivers:
            appcontext_pushed.send(self.app)

    def pop(self, exc: BaseException | None = _ACTIVE) -> None:
        """Leave the context; at the last pop, run the teardown functions with `exc`.

        Without `exc` they get the exception that is being handled. Raises ContextOrderError where
        this is not the current context, or another worker pushed it.
        """
        if self._again:
            self._leave()
        else:
            try:
                self.app.teardown_app_context(sys.exc_info()[1] if exc is _ACTIVE else exc)
            finally:
                self._leave()
        if appcontext_popped.receivers:
            appcontext_popped.send(self.app)

    def _leave(self) -> None:
        if switchpoint.listener is not None:
            switchpoint.listener("context.pop", self)
        current = STACKS.app_get()
        if self._again:
            previous, token, _ = self._again[-1]
            self._again = self._again[:-1]
        elif self._token is None:
            raise _wrong_order(self, current, "was never pushed, or popped already")
        else:
            previous, token = self.previous, self._token
            self.previous = self._token = None
        _reset(token, self, current)
        STACKS.app_set(previous)
        if current is not self:
            raise _wrong_order(self, current, "is not the current one")

    def __enter__(self) -> AppContext:
        self.push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        self.pop(exc)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.app.name}>"


class RequestContext:
    """Makes `request` the current one, and `session` its session, while pushed.

    Pushes an app context where none, or another app's, is current. `previous` is the request
    context that enclosed it when it was first pushed.
    """

    __slots__ = (
        "__weakref__", "_again", "_app_context", "_session", "_token", "_url_adapter", "after",
        "app", "flashes", "previous", "request",
    )  # fmt: skip

    def __init__(self, app: Application, request: Request, session: Session | None = None) -> None:
        self.app = app
        self.request = request
        self.previous: RequestContext | None = None
        # Functions that `after_this_request` was given.
        self.after: tuple[Callable[[Response], Response], ...] = ()
        self.flashes: list[tuple[str, str]] | None = None
        self._session = session
        self._token: Token[None] | None = None
        self._again: tuple[Pushed, ...] = ()
        self._app_context: AppContext | None = None
        self._url_adapter: MapAdapter | None = None

    @property
    def session(self) -> Session:
        """The session; asking for it marks it as accessed."""
        session = self._session
        if session is None:
            session = self.opened_session()
        session.accessed = True
        return session

    def opened_session(self) -> Session:
        """Give the session, opened at the first call, without marking it as accessed."""
        if self._session is None:
            self._session = self.app.sessions.open(self.request)
        return self._session

    @property
    def session_matters(self) -> bool:
        """Whether the session may have to be saved: it was opened, or came with a cookie.

        One that came with a cookie and that nobody asked for may be permanent, and then its cookie
        is due again.
        """
        return self._session is not None or self.request.header("cookie") is not None

    @property
    def url_adapter(self) -> MapAdapter:
        """What builds addresses as this request's client sees them."""
        if self._url_adapter is None:
            self._url_adapter = self.app.request_adapter(self.request)
        return self._url_adapter

    def copy(self) -> RequestContext:
        """Give a context with the same request and session, to be pushed by another worker."""
        return type(self)(self.app, self.request, self.opened_session())

    def push(self) -> None:
        """Make this the current request context of the calling worker, and match its path."""
        app = self.app
        outer = STACKS.app_get()
        own: AppContext | None = None
        if outer is None or outer.app is not app:
            own = AppContext(app)
            own.push()
        previous = STACKS.request_get()
        token = _pushed_here.set(None)
        if self._token is None:
            self.previous = previous
            self._token = token
            self._app_context = own
        else:
            self._again = (*self._again, (previous, token, own))
        STACKS.request_set(self)
        if switchpoint.listener is not None:
            switchpoint.listener("context.push", self)
        app.match(self.request)

    def pop(self, exc: BaseException | None = _ACTIVE) -> None:
        """Leave the context; at the last pop, run the teardown functions with `exc`.

        Without `exc` they get the exception that is being handled. Raises ContextOrderError where
        this is not the current context, or another worker pushed it.
        """
        if self._again:
            self._leave(exc)
            return
        if exc is _ACTIVE:
            exc = sys.exc_info()[1]
        try:
            self.app.teardown_request_context(exc)
            self.request.close()
        finally:
            self._leave(exc)

    def _leave(self, exc: BaseException | None) -> None:
        if switchpoint.listener is not None:
            switchpoint.listener("context.pop", self)
        current = STACKS.request_get()
        if self._again:
            previous, token, own = self._again[-1]
            self._again = self._again[:-1]
        elif self._token is None:
            raise _wrong_order(self, current, "was never pushed, or popped already")
        else:
            previous, token, own = self.previous, self._token, self._app_context
            self.previous = self._token = self._app_context = None
        _reset(token, self, current)
        STACKS.request_set(previous)
        if own is not None:
            own.pop(exc)
        if current is not self:
            raise _wrong_order(self, current, "is not the current one")

    def __enter__(self) -> RequestContext:
        self.push()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, _: TracebackType | None
    ) -> None:
        self.pop(exc)

    def __repr__(self) -> str:
        request = self.request
        return f"<{type(self).__name__} {request.url!r} [{request.method}] of {self.app.name}>"


def _reset(token: Token[None], popped: object, current: object) -> None:
    try:
        _pushed_here.reset(token)
    except ValueError:
        raise _wrong_order(popped, current, "was pushed by another worker") from None


def _wrong_order(popped: object, current: object, why: str) -> ContextOrderError:
    switchpoint.reach("context.mispop", popped)
    innermost = "nothing is pushed" if current is None else f"the current one is {current!r}"
    return ContextOrderError(
        f"{popped!r} was popped here, but it {why}: {innermost}. Pop contexts in the reverse order"
        " of their pushes, in the worker that pushed them; `with` does both."
    )


def has_app_context() -> bool:
    """Tell whether `current_app` and `g` may be used here."""
    return STACKS.app_get() is not None


def has_request_context() -> bool:
    """Tell whether `request` and `session` may be used here."""
    return STACKS.request_get() is not None


def _pushed_now() -> str | None:
    current = STACKS.request_get() or STACKS.app_get()
    if current is None:
        return None
    return f"{current!r} is pushed. Select the storage before any context is pushed."


selection.refuse_while(_pushed_now)
