"""Requests per second of one application source on Flask and on the runtime."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import flask
from runtime_timing import Row, compare, show

from ctxsim import runtime

REPEAT = 400
FLASK = SimpleNamespace(**{**vars(flask), "App": flask.Flask, "signals": flask.signals})
PAGE = (
    "<title>{{ shop }}</title>{% for n in numbers %}<p>{{ request.path }} {{ n }}</p>{% endfor %}"
)


def shop(m: ModuleType | SimpleNamespace) -> Any:
    """Make the application: hooks, a session login, a converter, a template and JSON."""
    app = m.App("shop")
    app.secret_key = "benchmark"
    page = app.jinja_env.from_string(PAGE)

    @app.before_request
    def who() -> None:
        m.g.user = m.session.get("user")

    @app.after_request
    def named(response: Any) -> Any:
        response.headers["X-User"] = str(m.g.user)
        return response

    @app.context_processor
    def names() -> dict[str, Any]:
        return {"shop": "the shop"}

    @app.post("/login")
    def login() -> str:
        m.session["user"] = m.request.form["name"]
        return "welcome"

    @app.get("/item/<int:number>")
    def item(number: int) -> dict[str, Any]:
        return {"item": number, "user": m.g.user, "q": m.request.args.get("q")}

    @app.get("/page")
    def show_page() -> str:
        return str(m.render_template(page, numbers=[1, 2, 3]))

    return app


def minimal(m: ModuleType | SimpleNamespace) -> Any:
    """Make the smallest application that still has its own request and g."""
    app = m.App("minimal")

    @app.get("/")
    def index() -> str:
        m.g.seen = m.request.args.get("canary")
        return str(m.g.seen)

    return app


def _through_wsgi(app: Any, requests: list[Any]) -> Callable[[], None]:
    environs = [request.environ for request in requests]

    def start_response(_status: str, _headers: Any, *_: Any) -> None:
        return None

    def serve() -> None:
        for environ in environs:
            environ["wsgi.input"].seek(0)
            body = app(environ.copy(), start_response)
            b"".join(body)
            if hasattr(body, "close"):
                body.close()

    return serve


def _direct(app: Any, parts: list[tuple[Any, ...]]) -> Callable[[], None]:
    handle, make = app.handle, runtime.Request

    def serve() -> None:
        for method, path, query, headers, body in parts:
            handle(make(method, path, query, headers, body)).chunks()

    return serve


def _competitors(make_app: Callable[[Any], Any], parts: list[tuple[Any, ...]]) -> dict[str, Any]:
    requests = [runtime.Request(*part) for part in parts]
    ours = make_app(runtime)
    return {
        "ctxsim, direct": _direct(ours, parts),
        "ctxsim, WSGI": _through_wsgi(ours, requests),
        "flask, WSGI": _through_wsgi(make_app(FLASK), requests),
    }


def _visit() -> list[tuple[Any, ...]]:
    form = ("Content-Type", "application/x-www-form-urlencoded")
    body = b"name=ann"
    login = (
        "POST",
        "/login",
        "",
        [("Host", "shop"), form, ("Content-Length", str(len(body)))],
        body,
    )
    answered = shop(runtime).handle(runtime.Request(*login))
    cookie = dict(answered.header_list())["Set-Cookie"].partition(";")[0]
    known = [("Host", "shop"), ("Cookie", cookie)]
    return [
        login,
        ("GET", "/item/3", "q=1", known, b""),
        ("GET", "/page", "", known, b""),
        ("GET", "/item/4", "q=2", [("Host", "shop")], b""),
    ]


def measure() -> list[Row]:
    """Time one request of the smallest application, and a visit of four to the shop."""
    small = [("GET", "/", "canary=abc", [("Host", "shop")], b"")]
    rows = compare("minimal request", _competitors(minimal, small), REPEAT * 10)
    return rows + compare("visit of 4 requests", _competitors(shop, _visit()), REPEAT)


if __name__ == "__main__":
    show(measure())
