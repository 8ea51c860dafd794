"""What views and hooks call: each function works on the current contexts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from werkzeug.exceptions import Aborter, HTTPException

from ctxsim.errors import OutsideContextError
from ctxsim.runtime import proxies
from ctxsim.runtime.app import App
from ctxsim.runtime.responses import Response
from ctxsim.runtime.stacks import STACKS
from ctxsim.runtime.views import json_response, make_redirect, to_response

P = ParamSpec("P")
T = TypeVar("T")

current_app = cast(App, proxies.current_app)
_raise_for = Aborter()
_FOUND = 302


def url_for(endpoint: str, **values: Any) -> str:
    """Give the address of a view: `values` fill the rule's variable parts, the rest the query.

    `_external=True` makes it absolute, which it also is outside of a request; `_anchor`, `_scheme`
    and `_method` are as in Flask. Raises `werkzeug.routing.BuildError` where no rule fits, and
    RuntimeError outside of a request where SERVER_NAME is not configured.
    """
    return current_app.url_for(endpoint, **values)


def abort(code: int | Response, *args: Any, **kwargs: Any) -> NoReturn:
    """Raise the HTTP exception of a status code, or answer with a response at once."""
    if isinstance(code, Response):
        raise HTTPException(response=code)  # type: ignore[arg-type]
    _raise_for(code, *args, **kwargs)


def redirect(location: str, code: int = _FOUND) -> Response:
    """Make the response that sends the client to `location`."""
    return make_redirect(location, code)


def jsonify(*args: Any, **kwargs: Any) -> Response:
    """Make a JSON response: of one value, of a list of several, or of a dict of the keywords.

    Raises TypeError for values and keywords together.
    """
    if args and kwargs:
        raise TypeError("jsonify takes values or keywords, not both: pass one dict instead.")
    if len(args) == 1:
        return json_response(args[0])
    return json_response(list(args) if args else kwargs)


def make_response(*returned: Any) -> Response:
    """Make the response that a view returning `returned` would get."""
    if not returned:
        return Response()
    return to_response(returned[0] if len(returned) == 1 else returned)


def after_this_request(function: Callable[[Response], Response]) -> Callable[..., Response]:
    """Pass the response of the current request, and of no other, through `function`.

    Raises OutsideContextError where no request context is pushed.
    """
    context = STACKS.request_get()
    if context is None:
        raise OutsideContextError(_needs_request("after_this_request"))
    context.after = (*context.after, function)
    return function


def copy_current_request_context(function: Callable[P, T]) -> Callable[P, T]:
    """Let `function` run in another worker, inside a copy of the current request context.

    The copy has the same request and session. Raises OutsideContextError where no request context
    is pushed.
    """
    context = STACKS.request_get()
    if context is None:
        raise OutsideContextError(_needs_request("copy_current_request_context"))
    copied = context.copy()

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with copied:
            return function(*args, **kwargs)

    return inside


def _needs_request(name: str) -> str:
    return (
        f"{name} was called outside of a request context, so there is no current request. Call it"
        " in a view or a hook, or push a request context by hand with"
        " `with app.test_request_context(...):`."
    )
