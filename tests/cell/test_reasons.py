"""Why a request failed is told in one line, with the line of the application's own."""

import json
import logging
from pathlib import Path

import pytest
from driving import DEFAULT_FAULTS, live, plan_of

from ctxsim.cell import canaries
from ctxsim.cell.witness.reasons import Logged, reason_of

HERE = __file__.rpartition("/")[2]


def raised(call, *args):
    try:
        call(*args)
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError


def fail(error):
    try:
        raise error
    finally:
        # The frame has gone on since it raised.
        len("")


def line_of(function, offset):
    return function.__code__.co_firstlineno + offset


def test_the_line_is_the_innermost_of_the_application():
    """What a library raised was called by the application."""
    by_itself = reason_of(raised(fail, KeyError("user")))
    assert by_itself.startswith("KeyError: 'user' (")
    assert by_itself.endswith(f"{HERE}:{line_of(fail, 2)})")
    by_library = reason_of(raised(lambda: json.loads("{")))
    assert by_library.startswith("json.decoder.JSONDecodeError: Expecting property name")
    assert f"{HERE}:" in by_library


def test_what_was_never_raised_has_no_line():
    assert reason_of(ValueError("a")) == "ValueError: a"


def test_whatever_it_says_it_is_one_line_without_canaries():
    """The same failure of two users is one."""
    prefix = canaries.user_prefix("0badcafe", 1, 3)
    first, second = (reason_of(KeyError(canaries.canary(prefix, n))) for n in (1, 2))
    assert first == second == "KeyError: '{canary}'"
    assert reason_of(ValueError("a\n\x1b[31m  b")) == "ValueError: a [31m b"
    assert len(reason_of(ValueError("a" * 9_000))) < 220


def test_where_objects_lie_is_left_out():
    """It is another place in each run, and the same failure is one."""
    first, second = (reason_of(TypeError(f"no {object()!r}, {each}")) for each in "ab")
    assert first == "TypeError: no <object object>, a"
    assert second == "TypeError: no <object object>, b"
    assert reason_of(ValueError("read at 0x10 of the page")).endswith("read at 0x10 of the page")


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError


def test_an_error_that_cannot_be_told_is_named():
    assert "MuteError" in reason_of(MuteError())


def test_what_was_logged_is_taken_once():
    """Only what has an error with it: an application may log whatever it likes."""
    logged, log = Logged(), logging.getLogger("of tests")
    log.addHandler(logged)
    log.propagate = False
    log.error("nothing is known of it")
    assert logged.take() == ""
    log.error("failed", exc_info=KeyError("a"))
    log.error("failed", exc_info=KeyError("b"))
    assert logged.take() == "KeyError: 'b'"
    assert logged.take() == ""


FLASK = """
    import flask
    app = flask.Flask(__name__)
    @app.get("/fails")
    def fails():
        return {}["user"]
    @app.get("/refuses")
    def refuses():
        flask.abort(404)
"""
QUART = FLASK.replace("flask", "quart").replace("Flask", "Quart").replace("def", "async def")
RUNTIME = FLASK.replace("import flask", "from ctxsim import runtime as flask").replace(
    "flask.Flask", "flask.App"
)
DJANGO = """
    from django.conf import settings
    settings.configure(SECRET_KEY="key", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"])
    from django.core.wsgi import get_wsgi_application
    from django.http import Http404
    from django.urls import path
    def fails(request):
        return {}["user"]
    def refuses(request):
        raise Http404
    urlpatterns = [path("fails", fails), path("refuses", refuses)]
    app = get_wsgi_application()
"""
DJANGO_ASGI = DJANGO.replace("wsgi", "asgi")
HANDLED = (
    FLASK
    + """
    @app.errorhandler(KeyError)
    def unknown(error):
        return "who are you?", 500
"""
)
EACH = {
    "flask": (FLASK, "sync"),
    "quart": (QUART, "tasks:4"),
    "runtime": (RUNTIME, "threads:4"),
    "django": (DJANGO, "greenlets:4"),
    "django asgi": (DJANGO_ASGI, "tasks:4"),
    "handled": (HANDLED, "tasks:4:to_thread"),
}


@pytest.mark.parametrize("name", EACH)
def test_why_a_framework_answers_500_is_known(application, name):
    """Of errors that are the application's own: not of those that a request is chosen to meet,
    nor of pages that are not there."""
    source, workers = EACH[name]
    target = application(source)
    plan = plan_of(
        "GET /fails", "GET /refuses", target=target, workers=workers, faults=DEFAULT_FAULTS
    )
    lines = Path(target.path[0], "app.py").read_text(encoding="utf-8").splitlines()
    line = next(at for at, text in enumerate(lines, 1) if "{}" in text)
    tally = live(plan).history.tally
    assert tally.raised == [f"GET /fails raised KeyError: 'user' (app.py:{line})"]
    assert tally.failures["404"]
