"""The session cookie: what is kept, who may change it, and that Flask reads it too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ctxsim.runtime import App, Request, flash, get_flashed_messages, session
from ctxsim.runtime.session_json import dumps, loads
from ctxsim.runtime.signing import CookieSigner

pytestmark = pytest.mark.usefixtures("storage")


@pytest.fixture
def shop(app: App) -> App:
    @app.route("/set/<value>")
    def put(value: str) -> str:
        session["user"] = value
        return f"{session.new} {session.modified} {session.accessed}"

    @app.route("/get")
    def read() -> str:
        return f"{dict(session)} {session.new} {session.modified}"

    @app.route("/permanent")
    def permanent() -> str:
        session.permanent = True
        return "yes"

    @app.route("/clear")
    def clear() -> str:
        session.clear()
        return "cleared"

    @app.route("/untouched")
    def untouched() -> str:
        return "untouched"

    return app


def visit(app: App, path: str, cookie: str = "") -> tuple[str, str, dict[str, str]]:
    """Give the body, the session cookie as `name=value`, and the headers."""
    headers = [("Cookie", cookie)] if cookie else []
    response = app.handle(Request("GET", path, headers=headers))
    sent = dict(response.header_list())
    return response.data.decode(), sent.get("Set-Cookie", "").partition(";")[0], sent


def test_a_session_comes_back(shop: App) -> None:
    """What one request stores, the next one of the same client reads."""
    body, cookie, headers = visit(shop, "/set/ann")
    assert body == "True True True"
    assert headers["Vary"] == "Cookie"
    assert "HttpOnly; Path=/" in headers["Set-Cookie"]
    body, again, _ = visit(shop, "/get", f"other=1; {cookie}; more=2")
    assert (body, again) == ("{'user': 'ann'} False False", "")


def test_no_session_no_header(shop: App) -> None:
    """A request that does not look at the session gets no cookie and no Vary."""
    _, cookie, _ = visit(shop, "/set/ann")
    for sent in (cookie, ""):
        _, set_cookie, headers = visit(shop, "/untouched", sent)
        assert (set_cookie, "Vary" in headers) == ("", False)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1] + ("A" if value[-1] != "A" else "B"),
        lambda value: "garbage",
        lambda value: "a.b.c",
        lambda value: value.partition(".")[2],
        lambda value: "X" + value,
        lambda value: "...",
        lambda value: "\u00e9" + value,
        lambda value: "",
    ],
)
def test_a_bad_signature_gives_an_empty_session(shop: App, spoil: Any) -> None:
    """A cookie that was not signed with the app's key is as none at all."""
    _, cookie, _ = visit(shop, "/set/ann")
    body, _, _ = visit(shop, "/get", "session=" + spoil(cookie.partition("=")[2]))
    assert body == "{} True False"


def test_a_session_of_another_key_is_empty(shop: App) -> None:
    """Changing the key ends all sessions, unless the old one is a fallback."""
    _, cookie, _ = visit(shop, "/set/ann")
    shop.secret_key = "another"
    assert visit(shop, "/get", cookie)[0] == "{} True False"
    shop.config["SECRET_KEY_FALLBACKS"] = ["a key for tests"]
    assert visit(shop, "/get", cookie)[0] == "{'user': 'ann'} False False"


def test_an_old_session_is_empty(shop: App) -> None:
    """A cookie is good for permanent_session_lifetime."""
    _, cookie, _ = visit(shop, "/set/ann")
    shop.permanent_session_lifetime = timedelta(seconds=-1)
    assert visit(shop, "/get", cookie)[0] == "{} True False"


def test_clearing_deletes_the_cookie(shop: App) -> None:
    """An emptied session is forgotten by the client."""
    _, cookie, _ = visit(shop, "/set/ann")
    _, emptied, headers = visit(shop, "/clear", cookie)
    assert emptied == "session="
    assert "Max-Age=0" in headers["Set-Cookie"]


def test_a_permanent_session_is_sent_each_time(shop: App) -> None:
    """Its cookie expires later after each request, also one that does not look at it."""
    _, cookie, headers = visit(shop, "/permanent")
    assert "Expires=" in headers["Set-Cookie"]
    _, again, headers = visit(shop, "/untouched", cookie)
    assert again.startswith("session=")
    assert "Expires=" in headers["Set-Cookie"]
    shop.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert visit(shop, "/untouched", cookie)[1] == ""


def test_without_a_key_a_session_is_empty_and_cannot_be_written(shop: App) -> None:
    """Reading works; writing says which setting is missing."""
    shop.secret_key = None
    assert visit(shop, "/get", "session=abc")[0].startswith("{}")
    with pytest.raises(RuntimeError, match="secret_key"):
        visit(shop, "/set/ann")


CONTENT = {
    "text": "\u00e9" * 200,
    "tuple": (1, (2, "x")),
    "bytes": b"\xff",
    "uuid": UUID(int=7),
    "markup": Markup("<b>"),
    "date": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
    "like a tag": {" t": [1]},
    "like a tagged tag": {" di": 1},
    "nested": {"list": [{"a": (1,)}], "none": None},
}


def test_flask_reads_our_cookies_and_we_read_flasks() -> None:
    """Same key, same content, both ways, short and compressed."""
    theirs = flask.Flask("theirs")
    theirs.secret_key = "one key"
    serializer = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(theirs)
    ours = CookieSigner(["one key"])
    assert serializer is not None
    for content in ({"a": 1}, CONTENT):
        assert serializer.loads(ours.dumps(content), max_age=60) == content
        found = ours.loads(serializer.dumps(content), limit_s=60)
        assert found == content
        assert found is not None
        assert [type(value) for value in found.values()] == [type(v) for v in content.values()]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.uuids(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(content=st.dictionaries(st.sampled_from(["a", " t", " di", " b"]), JSON))
def test_content_survives(content: dict[str, Any]) -> None:
    """Whatever a session may hold is the same after writing and reading."""
    assert loads(dumps(content)) == content


def test_flashed_messages_show_once(app: App) -> None:
    """The next request gets them, with categories if asked; the one after does not."""

    @app.route("/flash")
    def put() -> str:
        flash("saved")
        flash("wrong", "error")
        return "flashed"

    @app.route("/show")
    def show() -> str:
        first = get_flashed_messages(with_categories=True)
        return f"{first} {get_flashed_messages(category_filter=['error'])}"

    _, cookie, _ = visit(app, "/flash")
    body, cleared, _ = visit(app, "/show", cookie)
    assert body == "[('message', 'saved'), ('error', 'wrong')] ['wrong']"
    assert visit(app, "/show", cleared)[0] == "[] []"
