"""The short ways of session cookies end where Flask's, Werkzeug's and our own long ways end."""

from __future__ import annotations

import json
from typing import Any

import flask
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.http import dump_cookie

from ctxsim.runtime import App, Request, session, session_json
from ctxsim.runtime.session_json import dumps, loads
from ctxsim.runtime.signing import CookieSigner

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.uuids(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def sent(app: App, path: str) -> str:
    return dict(app.handle(Request("GET", path)).header_list())["Set-Cookie"]


@settings(deadline=None)
@given(content=st.dictionaries(st.text(max_size=3), JSON), secret=st.text(min_size=1))
def test_cookies_are_exchanged_with_flask(content: dict[str, Any], secret: str) -> None:
    """Any key and any content: each reads what the other wrote."""
    theirs = flask.Flask("theirs")
    theirs.secret_key = secret
    serializer = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(theirs)
    assert serializer is not None
    ours = CookieSigner([secret])
    assert serializer.loads(ours.dumps(content), max_age=60) == content
    assert ours.loads(serializer.dumps(content), limit_s=60) == content


TAGGED = [
    "{",
    "}",
    "[",
    "]",
    '" t"',
    '"\\u0020t"',
    '"a"',
    '" di"',
    '" b"',
    ":",
    ",",
    " ",
    "1",
    '""',
]


@settings(deadline=None)
@given(
    text=st.lists(st.sampled_from(TAGGED)).map("".join)
    | JSON.map(session_json._tagged).map(json.dumps)
    | JSON.map(dumps)
)
@example(text='{"\\u0020t":[1]}')
@example(text='{"a":{" t":[1]}}')
@example(text=' {"a":1}')
@example(text='{"a":1} ')
@example(text='{"a":1}{}')
def test_content_without_tags_is_read_alike(text: str) -> None:
    """The short way for plain content reads what the reader of tags reads, and fails alike."""

    def outcome(read: Any) -> Any:
        try:
            return read(text)
        except (ValueError, TypeError, AttributeError) as error:
            return type(error)

    assert repr(outcome(loads)) == repr(outcome(session_json._decode))


@settings(deadline=None)
@given(content=st.dictionaries(st.sampled_from(["a", "b", " t", " di", ""]), JSON | st.floats()))
def test_content_without_tags_is_written_alike(content: dict[str, Any]) -> None:
    """The short way for plain content writes what it would write after looking for tags."""
    written = json.dumps(session_json._tagged(content), separators=(",", ":"))
    assert dumps(content) == written


SETTINGS = st.fixed_dictionaries(
    {
        "SESSION_COOKIE_NAME": st.sampled_from(["session", "s", "s=", "\u00e9"]),
        "SESSION_COOKIE_DOMAIN": st.sampled_from([None, "shop.test"]),
        "SESSION_COOKIE_PATH": st.sampled_from([None, "/", "/a b"]),
        "SESSION_COOKIE_SECURE": st.booleans(),
        "SESSION_COOKIE_HTTPONLY": st.booleans(),
        "SESSION_COOKIE_SAMESITE": st.sampled_from([None, "Lax", "strict"]),
        "SESSION_COOKIE_PARTITIONED": st.booleans(),
    }
)


def attributes(chosen: dict[str, Any]) -> dict[str, Any]:
    return {
        "domain": chosen["SESSION_COOKIE_DOMAIN"],
        "path": chosen["SESSION_COOKIE_PATH"] or "/",
        "secure": chosen["SESSION_COOKIE_SECURE"],
        "httponly": chosen["SESSION_COOKIE_HTTPONLY"],
        "samesite": chosen["SESSION_COOKIE_SAMESITE"],
        "partitioned": chosen["SESSION_COOKIE_PARTITIONED"],
    }


@settings(deadline=None)
@given(both=st.tuples(SETTINGS, SETTINGS), permanent=st.booleans())
def test_the_header_is_werkzeugs(both: tuple[dict[str, Any], ...], permanent: bool) -> None:
    """Whatever the settings, also after they changed, Set-Cookie is as Werkzeug writes it."""
    app = App("shop")
    app.secret_key = "a key for tests"

    @app.route("/")
    def index() -> str:
        session["user"], session.permanent = "ann", permanent
        return ""

    for chosen in both:
        app.config.update(chosen)
        cookie = sent(app, "/")
        name = chosen["SESSION_COOKIE_NAME"]
        value = cookie[len(f"{name}=".encode()) :].partition(";")[0]
        expires = cookie.partition("Expires=")[2].partition(";")[0] or None
        assert (expires is not None) == permanent
        assert cookie == dump_cookie(name, value, expires=expires, **attributes(chosen))


def test_a_cookie_that_browsers_ignore_is_warned_of(app: App) -> None:
    """As Werkzeug does: beyond 4093 characters."""

    @app.route("/<int:size>")
    def put(size: int) -> str:
        # Digits that cannot be compressed to much less than half.
        session["kept"] = f"{7**20_000:x}"[:size]
        return ""

    assert len(sent(app, "/1000")) < 4093
    with pytest.warns(UserWarning, match="cookie is too large"):
        sent(app, "/9000")
