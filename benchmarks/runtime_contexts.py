"""What pushing and popping an app context and a request context costs, beside Flask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from runtime_timing import Row, compare, show

from ctxsim.runtime import App, Request
from ctxsim.runtime.contexts import RequestContext

REPEAT = 3_000


def _view() -> str:
    return ""


def _ours() -> Callable[[], None]:
    app = App("ours")
    app.add_url_rule("/", "index", _view)
    made = Request("GET", "/")

    def push_and_pop() -> None:
        context = RequestContext(app, made)
        context.push()
        context.pop(None)

    return push_and_pop


def _flask() -> Callable[[], None]:
    app = flask.Flask("theirs")
    app.add_url_rule("/", "index", _view)
    environ: dict[str, Any] = Request("GET", "/").environ
    made = app.request_class(environ)

    def push_and_pop() -> None:
        context = app.request_context(environ)
        context.push()
        context.pop(None)

    assert made.method == "GET"
    return push_and_pop


def _app_only(app: Any) -> Callable[[], None]:
    def push_and_pop() -> None:
        with app.app_context():
            pass

    return push_and_pop


def measure() -> list[Row]:
    """Time both contexts as a request pushes them, and an app context alone."""
    both = compare("app and request context", {"ctxsim": _ours(), "flask": _flask()}, REPEAT)
    apps = {"ctxsim": _app_only(App("ours")), "flask": _app_only(flask.Flask("theirs"))}
    return both + compare("app context", apps, REPEAT)


if __name__ == "__main__":
    show(measure())
