"""Who may speak to the web UI under Locust."""

import socket
import threading

import pytest

from ctxsim.live import guard
from ctxsim.live.guard import Asked, Names, refusal

HERE = "127.0.0.1:8089"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0"
EVERYWHERE = "0.0.0.0"


def asked(*, names="127.0.0.1", also="", asks_who=False, **keys):
    known = Names.of(names, also=also, asks_who=asks_who)
    return refusal(known, Asked(**{"method": "POST", "path": "/swarm", "host": HERE, **keys}))


@pytest.mark.parametrize(
    "request_",
    [
        {"origin": f"http://{HERE}"},
        {"host": "localhost:9000", "origin": "http://localhost:9000"},
        {"host": "[::1]:8089"},
        {"fetch_site": "same-origin"},
        {"fetch_site": "none", "agent": AGENT},
        {"method": "GET", "path": "/", "fetch_site": "cross-site"},
        {"method": "GET", "path": "/", "agent": AGENT},
        {"method": "GET", "path": "/", "referer": "http://evil.example/", "agent": AGENT},
        {"host": "loads.example", "names": "loads.example"},
    ],
)
def test_what_comes_from_ourselves_is_let_through(request_):
    assert asked(**request_) == ""


@pytest.mark.parametrize("agent", ["", "curl/8.5.0", "python-requests/2.34.2", "Wget/1.21"])
def test_a_script_needs_to_say_nothing(agent):
    """Who may run one on this machine may as well send any header."""
    assert asked(agent=agent) == ""


def test_a_browser_that_sends_no_origin_tells_by_its_page_where_it_comes_from():
    """As those did that sent none with forms, and a login's form is one."""
    login = {"path": "/ctxsim/login", "agent": AGENT}
    assert asked(**login, referer=f"http://{HERE}/login") == ""
    assert "another page" in asked(**login, referer="http://evil.example/attack")
    assert "another page" in asked(**login, referer="http://127.0.0.1:8090/")
    assert "does not say from where" in asked(**login)


@pytest.mark.parametrize(
    "request_",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://[broken"},
        {"origin": "http://127.0.0.1:8090"},
        {"host": "evil.example:8089"},
        {"method": "GET", "path": "/", "host": "evil.example"},
        {"method": "GET", "path": "/stats/requests", "origin": "http://evil.example"},
        {"fetch_site": "cross-site"},
        {"fetch_site": "same-site"},
        {"fetch_site": "cross-site", "referer": f"http://{HERE}/"},
        {"host": "[broken"},
    ],
)
def test_what_comes_from_elsewhere_is_refused_with_the_reason(request_):
    assert asked(**request_)


@pytest.mark.parametrize("path", ["/stats/reset", "/stop", "/load/stats/reset", "/load/stop"])
@pytest.mark.parametrize(
    "headers", [{"fetch_site": "cross-site"}, {"agent": AGENT}, {"referer": "http://evil.example"}]
)
def test_what_changes_things_is_guarded_however_it_is_asked_for(path, headers):
    """Versions of Locust differ in that, and an image's address is enough to send a GET."""
    assert asked(method="GET", path=path, **headers)
    assert asked(method="POST", path=path, **headers)


def test_a_server_on_all_interfaces_goes_by_addresses_and_its_own_names():
    """A name that somebody else owns may lead to it (DNS rebinding), and its pages be same-origin
    then."""
    for host in ("192.0.2.7:8089", "[2001:db8::7]:8089", "localhost:8089", socket.gethostname()):
        assert asked(names=EVERYWHERE, host=host, origin=f"http://{host}") == ""
    rebound = {"host": "evil.example:8089", "origin": "http://evil.example:8089"}
    assert "--web-host-display-name" in asked(names=EVERYWHERE, **rebound)
    assert asked(names=EVERYWHERE, host="192.0.2.7", origin="http://evil.example")


def test_a_name_that_its_user_gives_it_is_its_own():
    for also in ("loads.example", "http://loads.example:8089", "https://Loads.example/"):
        assert asked(names=EVERYWHERE, also=also, host="loads.example:8089") == ""


def test_any_name_is_right_where_a_cookie_tells_who_speaks():
    """It is sent to the name alone by which its user has logged in."""
    keys = {"names": EVERYWHERE, "asks_who": True, "host": "any.example"}
    assert asked(**keys, origin="http://any.example") == ""
    assert asked(**keys, origin="http://evil.example")


def test_a_dns_that_does_not_answer_holds_up_no_start(monkeypatch):
    """And what is not known to be a name of this machine is none."""
    answered, asked_for = threading.Event(), []

    def getfqdn():
        asked_for.append(threading.current_thread())
        answered.wait(60)
        return "late.example"

    monkeypatch.setattr(socket, "getfqdn", getfqdn)
    monkeypatch.setattr(guard, "_NAME_S", 0.01)
    try:
        names = Names.of(EVERYWHERE)
        assert not answered.is_set()
    finally:
        answered.set()
    asked_for[0].join()
    assert names.has(socket.gethostname().lower())
    assert not names.has("late.example")
