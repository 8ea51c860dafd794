"""The runtime does what Flask 3.1 does: same hooks, signals and teardown, same responses."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest
from sample_app import FLASK, RUNTIME, Logged, Unhandled
from werkzeug.test import EnvironBuilder

from ctxsim.runtime import Request

_RETURNED = [
    "str", "bytes", "dict", "list", "status", "line", "headers", "all", "response", "changed",
    "json", "redirect", "permanently", "four", "none", "int", "empty", "mimetype",
]  # fmt: skip
CASES = [
    "/",
    "HEAD /",
    "OPTIONS /",
    "POST /",
    "/nowhere",
    "/item/3/",
    "/item/3",
    "/item/three/",
    "HEAD /item/3/",
    "OPTIONS /item/3/",
    "POST /item/3/",
    "//",
    "/raise/abort",
    "/raise/response",
    "/raise/teapot",
    "/raise/key",
    "/raise/unhandled",
    "/raise/unhandled?fail=errorhandler500",
    "/raise/unhandled?fail=after_request1",
    "/raise/teapot?fail=errorhandler",
    "/raise/teapot?fail=after_request2",
    "/raise/exit",
    *[f"/?fail={hook}{n}" for hook in ("before_request", "after_request") for n in (1, 2)],
    *[f"/?fail={hook}_{n}" for hook in ("x",) for n in (1, 2)],
    *[f"/?fail=teardown_{kind}{n}" for kind in ("request", "appcontext") for n in (1, 2)],
    "/?fail=teardown_request1&fail=teardown_appcontext2",
    "/?fail=before_request1&fail=teardown_request2",
    "/raise/unhandled?fail=teardown_request1&fail=after_request1",
    "/raise/exit?fail=teardown_request1",
    "/nowhere?fail=before_request1",
    "/nowhere?fail=early1",
    "/?fail=early1",
    "/?fail=early2",
    "/?fail=teapot1",
    "/?fail=early1&fail=after_request1",
    "/page",
    "/page?fail=after_request2",
    "/after",
    "/after?fail=after_request2",
    "/nested",
    "/inner",
    "/stream/plain",
    "/stream/kept",
    "/stream/decorated",
    "HEAD /stream/plain",
    "HEAD /stream/kept",
    "/stream/kept?fail=after_request1",
    "/stream/kept?fail=teardown_request1",
    "/read",
    "/session/clear",
    *[f"/returns/{kind}" for kind in _RETURNED],
    "HEAD /returns/dict",
]


def test_the_flask_beside_is_3_1() -> None:
    """The comparison is with Flask 3.1; another Flask makes it meaningless."""
    found = version("flask")
    assert found.startswith("3.1."), f"These tests compare with Flask 3.1; found Flask {found}."


def environ_of(case: str, **parts: Any) -> dict[str, Any]:
    method, _, target = case.rpartition(" ")
    path, _, query = target.partition("?")
    data = {"field": "value"} if method == "POST" else None
    builder = EnvironBuilder(
        path,
        method=method or "GET",
        query_string=query,
        base_url="http://shop.test",
        data=data,
        **parts,
    )
    try:
        return builder.get_environ()
    finally:
        builder.close()


def normal(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    told = [(name, value) for name, value in headers if name != "Allow"]
    # Werkzeug takes the order of Allow from a set.
    allowed = [(name, ", ".join(sorted(v.split(", ")))) for name, v in headers if name == "Allow"]
    return sorted([*told, *allowed])


def answer(logged: Logged, environ: dict[str, Any]) -> tuple[list[str], Any]:
    """Answer as a WSGI server would; give the log, and what the client gets."""
    started: list[Any] = []
    try:
        body = logged.app(environ, lambda status, headers, *_: started.append((status, headers)))
        logged.note("returned to the server")
        parts = [part for part in body if part]
        if hasattr(body, "close"):
            body.close()
    except BaseException as error:  # noqa: BLE001  # ok: what escapes is compared
        logged.note("raised", type(error).__name__, error)
        return logged.log, None
    logged.note("closed")
    [(status, headers)] = started
    if status.startswith("204"):
        # The runtime leaves the type out there, because wsgiref's validator objects to it.
        headers = [pair for pair in headers if pair[0] != "Content-Type"]
    return logged.log, (status, normal(headers), b"".join(parts))


def worded(log: list[str]) -> list[str]:
    """Drop the words of errors that each framework words for itself."""
    return [line.split("(The view", 1)[0] for line in log]


@pytest.mark.parametrize("case", CASES)
def test_same_log_and_same_response(case: str) -> None:
    """Through WSGI, both log the same in the same order, and the client gets the same."""
    flask_log, flask_answer = answer(Logged(FLASK), environ_of(case))
    log, response = answer(Logged(RUNTIME), environ_of(case))
    assert worded(log) == worded(flask_log)
    if case not in {"/returns/none", "/returns/int", "/returns/four"}:
        assert response == flask_answer
    assert log


@pytest.mark.parametrize("case", ["/", "/raise/unhandled", "/raise/teapot", "/raise/abort"])
@pytest.mark.parametrize(
    "key", ["TESTING", "DEBUG", "PROPAGATE_EXCEPTIONS", "TRAP_HTTP_EXCEPTIONS"]
)
def test_the_same_where_exceptions_pass_through(case: str, key: str) -> None:
    """The settings that let exceptions through do so at the same point, after the same signals."""
    both = [Logged(framework) for framework in (FLASK, RUNTIME)]
    for logged in both:
        logged.app.config[key] = True
    theirs, ours = (answer(logged, environ_of(case)) for logged in both)
    assert ours == theirs


@pytest.mark.parametrize("case", [case for case in CASES if "stream" not in case])
def test_the_direct_path_logs_the_same(case: str) -> None:
    """`App.handle` runs what Flask runs behind WSGI, and gives the same response."""
    flask_log, flask_answer = answer(Logged(FLASK), environ_of(case))
    ours = Logged(RUNTIME)
    response = None
    try:
        response = ours.app.handle(Request.from_environ(environ_of(case)))
    except BaseException as error:  # noqa: BLE001  # ok: what escapes is compared
        ours.note("raised", type(error).__name__, error)
    served = ("returned to the server", "closed")
    assert worded(ours.log) == worded([line for line in flask_log if not line.startswith(served)])
    if response is not None and flask_answer is not None and "/returns/" not in case:
        status, headers, body = flask_answer
        assert (response.status, normal(response.header_list())) == (status, headers)
        assert b"".join(response.chunks()) == body


def by_hand(logged: Logged) -> None:
    """Contexts that nobody pushes but the caller, nested, left with and without an exception."""
    m, app = logged.m, logged.app
    with app.app_context():
        logged.note("inside", m.g.setdefault("x", 1))
        with app.test_request_context("/item/3/?a=1", method="POST", data={"f": "v"}) as context:
            logged.note(m.request.path, m.request.endpoint, m.request.form["f"], m.g.x)
            with app.test_request_context("/page"), app.app_context():
                logged.note(m.request.path, m.g.get("x"), m.url_for("page"))
            logged.note(m.url_for("item", number=1, _external=True), m.request.args["a"])
            context.push()
            logged.note("pushed again", m.request.path)
            context.pop()
        logged.note("outside the request")
        m.render_template_string("{{ shop }}")
    try:
        with app.test_request_context("/nowhere"):
            logged.note(m.request.endpoint, m.request.url_rule, m.request.routing_exception)
            raise Unhandled("by hand")
    except Unhandled as error:
        logged.note("left by", error)


def test_contexts_by_hand_log_the_same() -> None:
    """Contexts that are pushed without a request being handled."""
    theirs, ours = Logged(FLASK), Logged(RUNTIME)
    by_hand(theirs)
    by_hand(ours)
    assert ours.log == theirs.log


SESSION = ["/session/permanent", "/read", "/session/set", "/read", "/session/clear", "/read", "/"]


def test_a_client_gets_the_same_cookies() -> None:
    """A visit with a cookie jar: same bodies, same Vary, cookies set and deleted alike."""
    jars: list[list[Any]] = []
    for framework in (FLASK, RUNTIME):
        logged, cookie, seen = Logged(framework), "", []
        for case in SESSION:
            _, (status, headers, body) = answer(
                logged, environ_of(case, headers={"Cookie": cookie})
            )
            told = dict(headers)
            sent, _, attributes = told.get("Set-Cookie", "").partition(";")
            cookie = sent or cookie
            named = sorted(word.partition("=")[0] for word in attributes.split(";"))
            seen.append((case, status, body, told.get("Vary"), bool(sent), named))
        jars.append(seen)
    assert jars[1] == jars[0]
