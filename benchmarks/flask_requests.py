"""A validated request to a Flask application, beside a bare call and Flask's own test client."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from measures import Measure, at_most, in_turns
from small_flask import app

from ctxsim import Scenario, simulate

HERE = Path(__file__).parent
REQUESTS = 10_000
ROUNDS = 5
PATH, QUERY = "/tag", "tag=cx0badcafe00100010000010a"


def validated_us() -> float:
    """Microseconds of one request in a sync cell, all checks on."""
    outcome = simulate(Scenario.load(HERE / "small_flask.yaml"))
    [cell] = outcome.cells
    assert outcome.exit_code == 0, outcome.document.reasons
    assert cell.timing.requests_per_s is not None
    return 1e6 / cell.timing.requests_per_s


def bare_us() -> float:
    """Microseconds of one `app(environ, start_response)` whose body is read."""
    environ = app.test_request_context(PATH, query_string=QUERY).request.environ

    def start_response(_status: str, _headers: object, _exc_info: object = None) -> None: ...

    def call() -> None:
        body = app(environ.copy(), start_response)
        b"".join(body)
        body.close()

    return _time_us(call)


def client_us() -> float:
    """Microseconds of one request of the test client."""
    client = app.test_client()
    return _time_us(lambda: client.get(PATH, query_string=QUERY).data)


def _time_us(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(REQUESTS):
        call()
    return (time.perf_counter() - started) / REQUESTS * 1e6


def measure() -> list[Measure]:
    """Sync workers: nothing but the request itself takes time."""
    competitors = {"validated": validated_us, "bare": bare_us, "client": client_us}
    found = in_turns(competitors, ROUNDS)
    return [
        at_most(
            "a validated request to a small Flask application, beside a bare WSGI call",
            1.3,
            found["validated"] / found["bare"],
            " x the time",
            f"{found['validated']:.0f} against {found['bare']:.0f} us; Flask's test client takes "
            f"{found['client'] / found['bare']:.2f} x",
        )
    ]
