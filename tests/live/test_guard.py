"""Who may speak to the web UI under Locust."""

import pytest

from ctxsim.live.guard import names_of, refusal

HERE = "127.0.0.1:8089"


def asked(method="POST", path="/swarm", host=HERE, origin=None, fetch_site=None, names="127.0.0.1"):
    return refusal(
        names_of(names), method=method, path=path, host=host, origin=origin, fetch_site=fetch_site
    )


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"origin": f"http://{HERE}"},
        {"host": "localhost:9000", "origin": "http://localhost:9000"},
        {"host": "[::1]:8089"},
        {"fetch_site": "same-origin"},
        {"method": "GET", "path": "/", "fetch_site": "cross-site"},
        {"host": "loads.example", "names": "loads.example"},
        {"host": "any.example", "names": "0.0.0.0", "origin": "http://any.example"},
    ],
)
def test_what_comes_from_ourselves_is_let_through(request_):
    assert asked(**request_) == ""


@pytest.mark.parametrize(
    "request_",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8090"},
        {"host": "evil.example:8089"},
        {"method": "GET", "path": "/", "host": "evil.example"},
        {"method": "GET", "path": "/stats/requests", "origin": "http://evil.example"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "same-site"},
        {"method": "GET", "path": "/stats/reset", "fetch_site": "cross-site"},
        {"names": "0.0.0.0", "host": "any.example", "origin": "http://evil.example"},
        {"host": "[broken"},
    ],
)
def test_what_comes_from_elsewhere_is_refused_with_the_reason(request_):
    assert asked(**request_)
