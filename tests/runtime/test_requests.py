"""What a request parses by a short way is what Werkzeug's long way gives."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import parse_cookie
from werkzeug.wsgi import get_input_stream

from ctxsim.runtime import Request

URLENCODED = "application/x-www-form-urlencoded"
QUERIES = st.text("ab1=&;%2Bé+ ", max_size=20) | st.text(max_size=10)
COOKIES = st.one_of(
    st.text('ab1=; "\\,.-\t!é', max_size=20),
    st.lists(
        st.tuples(st.text("ab.-_1", min_size=1, max_size=3), st.text("ab=.-_:/%", max_size=5)),
        max_size=4,
    ).map(lambda pairs: "; ".join(f"{name}={value}" for name, value in pairs)),
)


def outcome(function: Callable[[], Any]) -> Any:
    try:
        found = function()
    except (ClientDisconnected, UnicodeError) as error:
        return type(error)
    return found if isinstance(found, bytes) else (type(found), found, list(found.lists()))


def parsed(query: str) -> ImmutableMultiDict[str, str]:
    return ImmutableMultiDict(parse_qsl(query, keep_blank_values=True, errors="werkzeug.url_quote"))


@settings(deadline=None)
@given(query=QUERIES)
def test_the_query(query: str) -> None:
    """Escaped or not, repeated or empty."""
    assert outcome(lambda: Request(query_string=query).args) == outcome(lambda: parsed(query))


@settings(deadline=None)
@given(query=QUERIES, kind=st.sampled_from([URLENCODED, f"{URLENCODED}; charset=utf-8", "A/B"]))
def test_the_form(query: str, kind: str) -> None:
    """A form is a body of the right type; of another type it is none."""
    headers = [("Content-Type", kind)]
    made = Request("POST", headers=headers, body=query.encode())
    expected = parsed(query) if kind.startswith(URLENCODED) else ImmutableMultiDict()
    assert outcome(lambda: made.form) == outcome(lambda: expected)
    assert made.files == ImmutableMultiDict()


@settings(deadline=None)
@given(text=COOKIES)
def test_the_cookies(text: str) -> None:
    """Plain ones, quoted ones, and what is none at all."""
    made = Request(headers=[("Cookie", text)])
    assert outcome(lambda: made.cookies) == outcome(lambda: ImmutableMultiDict(parse_cookie(text)))


def test_parsed_values_cannot_be_changed() -> None:
    """They are the request's, and every view of it sees the same."""
    with pytest.raises(TypeError, match="immutable"):
        Request(query_string="a=1").args["a"] = "2"  # type: ignore[index]


class Trickling:
    """Gives at most `most` bytes at a time, and fails once where `failing` says so."""

    def __init__(self, body: bytes, most: int, failing: type[Exception] | None) -> None:
        self._rest = BytesIO(body)
        self._most = most
        self._failing = failing

    def read(self, size: int = -1) -> bytes:
        if self._failing is not None:
            raise self._failing("gone")
        return self._rest.read(self._most if size < 0 else min(size, self._most))


@settings(deadline=None)
@given(
    body=st.binary(max_size=12),
    told=st.sampled_from(["", "0", "3", "12", "012", " 5 ", "-1", "+3", "x", "99999", "\u0663"]),
    most=st.integers(1, 20),
    failing=st.sampled_from([None, None, None, OSError, ValueError]),
    more=st.sampled_from(
        [{}, {}, {"HTTP_TRANSFER_ENCODING": "chunked"}, {"wsgi.input_terminated": True}]
    ),
)
@example(body=b"abcdef", told="\u0663", most=9, failing=None, more={})
@example(body=b"abcdef", told="9999", most=2, failing=None, more={})
def test_the_body_from_a_server(
    body: bytes, told: str, most: int, failing: type[Exception] | None, more: dict[str, Any]
) -> None:
    """No more than the client told, also in pieces; a client that left is told apart."""

    def environ() -> dict[str, Any]:
        stream = Trickling(body, most, failing)
        if failing is not None and more:
            return {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": told, "wsgi.input": stream}
        return {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": told, "wsgi.input": stream, **more}

    expected = outcome(lambda: get_input_stream(environ()).read())
    assert outcome(lambda: Request.from_environ(environ()).get_data()) == expected


def test_a_body_without_a_length_is_empty() -> None:
    """Nobody may read on where the end is not known."""
    environ = {"REQUEST_METHOD": "POST", "wsgi.input": BytesIO(b"abc")}
    assert Request.from_environ(environ).get_data() == b""
