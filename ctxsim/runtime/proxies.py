"""`request`, `session`, `g` and `current_app`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ctxsim.errors import OutsideContextError
from ctxsim.runtime.proxy import LocalProxy
from ctxsim.runtime.stacks import STACKS

if TYPE_CHECKING:
    from ctxsim.runtime.contexts import Globals
    from ctxsim.runtime.requests import Request
    from ctxsim.runtime.sessions import Session

_NO_APP = (
    "`{name}` was used outside of an app context, so there is no current application to take it"
    " from. Push one by hand with `with app.app_context():`, or use `{name}` while a request is"
    " handled, which pushes one too."
)
_NO_REQUEST = (
    "`{name}` was used outside of a request context, so there is no current request to take it"
    " from. Use `{name}` in code that a view or a hook runs, or push a request context by hand with"
    " `with app.test_request_context(...):`; a function that another worker runs needs"
    " `copy_current_request_context`."
)

# Gives the current context, or None.
Get = Callable[[], Any]


def _as_it_is(get: Get) -> Get:
    return get


class ContextPart:
    """A source: one attribute of the current context."""

    def __init__(self, stack: str, attribute: str, message: str) -> None:
        self._stack = stack
        self._attribute = attribute
        self._message = message
        self._get: Get
        self.names: dict[str, Any] = {}
        # Where no context is pushed `get()` is None, which has no such attribute, so the getters
        # raise AttributeError there, as they must.
        self.expression = f"get().{attribute}"
        self._made_of: Callable[[Get], Get] = _as_it_is
        STACKS.watch(self._take_slot)

    def look_up_by(self, made_of: Callable[[Get], Get]) -> None:
        """Look up, from now on, by what `made_of` makes of the slot's own function."""
        self._made_of = made_of
        self._take_slot()

    def _take_slot(self) -> None:
        self._get = self.names["get"] = self._made_of(getattr(STACKS, self._stack))

    def resolve(self) -> Any:
        context = self._get()
        if context is None:
            raise OutsideContextError(self._message)
        return getattr(context, self._attribute)


# Where each proxy looks, by its name; a cell listens there for who uses which context.
PARTS: dict[str, ContextPart] = {}


def _proxy(stack: str, attribute: str, name: str, message: str) -> Any:
    part = PARTS[name] = ContextPart(stack, attribute, message.format(name=name))
    return LocalProxy(part)


# Typed as an App in `current`, which may import it.
current_app: Any = _proxy("app_get", "app", "current_app", _NO_APP)
g = cast("Globals", _proxy("app_get", "g", "g", _NO_APP))
request = cast("Request", _proxy("request_get", "request", "request", _NO_REQUEST))
session = cast("Session", _proxy("request_get", "session", "session", _NO_REQUEST))
