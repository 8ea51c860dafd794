"""before_first_request runs once, and every other first request waits for its end."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from greenlet import getcurrent, greenlet

from ctxsim.runtime import App, Request

COUNT = 200


@pytest.fixture
def counted(app: App) -> tuple[App, list[str]]:
    events: list[str] = []
    app.add_url_rule("/", "index", lambda: events.append("view") or "")
    return app, events


def test_it_runs_before_the_first_request_only(counted: tuple[App, list[str]]) -> None:
    """In the order of declaration, inside the request's contexts."""
    app, events = counted
    app.before_first_request(lambda: events.append("one"))
    app.before_first_request(lambda: events.append("two"))
    for _ in range(2):
        app.handle(Request())
    assert events == ["one", "two", "view", "view"]


def test_threads_wait_for_its_end(counted: tuple[App, list[str]]) -> None:
    """A thousand first requests from threads: one runs it, no view starts before its end."""
    app, events = counted
    started, go_on = threading.Event(), threading.Event()

    @app.before_first_request
    def prepare() -> None:
        started.set()
        assert go_on.wait(10)
        events.append("prepared")

    threads = [threading.Thread(target=lambda: app.handle(Request())) for _ in range(COUNT)]
    for thread in threads:
        thread.start()
    assert started.wait(10)
    assert events == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert events == ["prepared"] + ["view"] * COUNT


def test_greenlets_wait_for_its_end(counted: tuple[App, list[str]]) -> None:
    """Greenlets of one thread, where a plain lock would stop the thread for good."""
    app, events = counted
    main = getcurrent()

    @app.before_first_request
    def prepare() -> None:
        for _ in range(3):
            main.switch()
        events.append("prepared")

    waiting = [greenlet(lambda: app.handle(Request())) for _ in range(COUNT)]
    while waiting:
        for worker in waiting:
            worker.switch()
        waiting = [worker for worker in waiting if not worker.dead]
    assert events == ["prepared"] + ["view"] * COUNT


GEVENT = """
import sys
patched = sys.argv[1] == "patched"
if patched:
    from gevent import monkey; monkey.patch_all()
import gevent
from ctxsim.runtime import App, Request
app, events = App("app"), []
app.add_url_rule("/", "index", lambda: events.append("view") or "")
@app.before_first_request
def prepare():
    gevent.sleep(0.01)
    events.append("prepared")
gevent.joinall([gevent.spawn(app.handle, Request()) for _ in range(300)], timeout=20)
assert events == ["prepared"] + ["view"] * 300, events[:3]
"""


@pytest.mark.parametrize("patching", ["patched", "unpatched"])
def test_gevent_greenlets_wait_for_its_end(patching: str) -> None:
    """The same under gevent, whether it has patched the locks or not."""
    subprocess.run([sys.executable, "-c", GEVENT, patching], check=True, timeout=60)


def test_a_failure_is_a_500_and_the_next_request_tries_again(
    counted: tuple[App, list[str]],
) -> None:
    """As in Flask 2.2: handlers for the exception itself are not asked, one for 500 is."""
    app, events = counted
    app.testing = False
    attempts: list[int] = []

    @app.before_first_request
    def prepare() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("not yet")

    app.errorhandler(ValueError)(lambda error: "handled")
    app.errorhandler(500)(lambda error: (f"broken: {error.original_exception}", 500))
    assert app.handle(Request()).data == b"broken: not yet"
    assert events == []
    assert [app.handle(Request()).status_code for _ in range(2)] == [200, 200]
    assert len(attempts) == 2


def test_a_request_that_it_makes_itself_does_not_wait(counted: tuple[App, list[str]]) -> None:
    """Waiting for its own end would last for ever."""
    app, events = counted

    @app.before_first_request
    def warm_up() -> Any:
        app.handle(Request())
        events.append("prepared")

    app.handle(Request())
    assert events == ["view", "prepared", "view"]
