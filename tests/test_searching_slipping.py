"""A case that was made small shows for the reason for which it was found, and for no other."""

import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.replaying import shown_again
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
import threading
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    name = cookie["name"].value if "name" in cookie else ""
    headers = [("Content-Type", "text/plain")]
    text = VIEWS[environ["PATH_INFO"]](name, headers, **sent)
    start_response("200 OK", headers)
    return [text.encode()]
"""
# Whoever has not logged in is nobody; and so is whom a visitor overtakes.
LOGIN = """
class Current:
    name = ""

def login(name, headers, sent):
    headers.append(("Set-Cookie", f"name={sent}"))
    return "logged in"

def me(name, headers):
    Current.name = name
    greeting = "you are "
    return greeting + Current.name

VIEWS = {"/login": login, "/me": me}
"""
MEMBERS = LOGIN.replace("+ Current.name", '+ ("a member" if Current.name else "nobody")')
MENDED_LOGIN = LOGIN.replace("Current.name", "current")
LOGIN_STEPS = """
users: {count: 3, visitor: true, vars: {name: "token-of-user{n}"}}
steps:
  - get: "/login?sent={user.name}"
  - get: /me
    expect: {contains: "{user.name}"}
"""
MENDED_MEMBERS = MEMBERS.replace("Current.name", "current")
MEMBERS_STEPS = LOGIN_STEPS.partition("    expect")[0]
# A user's parcel is fetched once it was brought; it may be brought to somebody else.
PARCELS = """
class To:
    name = ""

brought = {}

def bring(name, headers, sent):
    To.name = sent
    turn = 1
    brought.setdefault(To.name, threading.Event()).set()
    return "brought"

def fetch(name, headers, sent):
    brought.setdefault(sent, threading.Event()).wait()
    return "here it is"

VIEWS = {"/bring": bring, "/fetch": fetch}
"""
MENDED_PARCELS = PARCELS.replace("To.name", "to")
PARCELS_STEPS = """
users: {count: 3, visitor: false, vars: {name: "user{n}"}}
steps:
  - get: "/bring?sent={user.name}"
  - get: "/fetch?sent={user.name}"
"""


@pytest.mark.parametrize(
    ("code", "steps", "source", "mended"),
    [
        ("CTX207", LOGIN_STEPS, LOGIN, MENDED_LOGIN),
        ("CTX208", MEMBERS_STEPS, MEMBERS, MENDED_MEMBERS),
        ("CTX502", PARCELS_STEPS, PARCELS, MENDED_PARCELS),
    ],
    ids=[
        "refused without its login",
        "answered otherwise without it",
        "waits for what is not sent",
    ],
)
def test_a_request_that_the_bug_needs_is_not_left_out(tmp_path, code, steps, source, mended):
    def write(text):
        (tmp_path / "served.py").write_text(HEAD + textwrap.dedent(text), encoding="utf-8")

    write(source)
    path = tmp_path / "searched.yaml"
    path.write_text(
        f'version: 1\ntarget: {{app: "served.py:app"}}{steps}workers: ["threads:4"]\n'
        "schedule: {kind: auto, budget: 200}\nfaults: none\nseed: 3\n",
        encoding="utf-8",
    )
    options = Options(compare_alone=code == "CTX208")
    outcome = simulate(Scenario.load(path), options=options)
    [case] = (each for each in outcome.cases if each.code == code)
    text = case.as_text()
    assert shown_again(text, executions=1)
    write(mended)
    assert not shown_again(text, executions=1)
