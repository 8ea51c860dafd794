"""From what a view returns to a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.sansio.response import Response as ForeignResponse
from werkzeug.utils import redirect as redirect_to

from ctxsim.runtime import json_text
from ctxsim.runtime.responses import Response
from ctxsim.runtime.stacks import STACKS

_WITH_ONE_MORE, _WITH_TWO_MORE = 2, 3
_ALLOWED = (
    "The return type must be a string, dict, list, generator, tuple with headers or status, or a"
    " Response"
)


def to_response(returned: Any) -> Response:
    """Make a response from what a view, a hook or an error handler returned.

    Raises TypeError for what none can be made from.
    """
    # What most views return comes first.
    kind = type(returned)
    if kind is str:
        return Response(returned)
    if kind is dict:
        return json_response(returned)
    if kind is Response:
        return returned  # type: ignore[no-any-return]
    status: Any = None
    headers: Any = None
    if isinstance(returned, tuple):
        returned, status, headers = _unpacked(returned)
    response = _converted(returned)
    if status is not None:
        response.status = status
    if headers:
        response.headers.update(headers)
    return response


def _unpacked(returned: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    if len(returned) == _WITH_TWO_MORE:
        return returned
    if len(returned) == _WITH_ONE_MORE:
        body, second = returned
        if isinstance(second, (Headers, dict, tuple, list)):
            return body, None, second
        return body, second, None
    raise TypeError(
        f"The view returned a tuple of {len(returned)}. A tuple must be (body, status, headers),"
        " (body, status) or (body, headers)."
    )


def _converted(body: Any) -> Response:
    if isinstance(body, Response):
        return body
    if isinstance(body, (str, bytes, bytearray)):
        return Response(body)
    if isinstance(body, (dict, list)):
        return json_response(body)
    if isinstance(body, Iterator):
        return Response(body)
    if isinstance(body, HTTPException):
        return response_of(body)
    if isinstance(body, ForeignResponse):
        return _from_foreign(body)
    if body is None:
        raise TypeError(
            f"The view for {_endpoint()!r} returned None, or ended without a return. {_ALLOWED}."
        )
    kind = type(body).__name__
    raise TypeError(f"The view for {_endpoint()!r} returned a {kind}. {_ALLOWED}.")


def _endpoint() -> str | None:
    context = STACKS.request_get()
    return None if context is None else context.request.endpoint


def json_response(value: Any) -> Response:
    """Make the response that a view's dict or list becomes."""
    return Response(json_text.answer(value), content_type="application/json")


def response_of(error: HTTPException) -> Response:
    """Make the page for an HTTP exception that no error handler took."""
    if error.response is not None:
        given: Any = error.response
        return given if isinstance(given, Response) else _from_foreign(given)
    if isinstance(error, RequestRedirect):
        return _redirect(error.new_url, error.code)
    return Response(error.get_body(), error.code, error.get_headers())


def _redirect(location: str, code: int) -> Response:
    made: Any = redirect_to(location, code, Response=Response)  # type: ignore[arg-type]
    assert isinstance(made, Response)
    return made


def _from_foreign(foreign: Any) -> Response:
    headers = foreign.headers
    made = Response(foreign.get_data(), foreign.status)
    for name in dict(headers):
        made.headers.setlist(name, headers.getlist(name))
    return made


make_redirect = _redirect
