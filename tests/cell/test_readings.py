"""Texts that belong to a user are found however an answer is coded, and counted rightly."""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import zipfile
from base64 import urlsafe_b64encode
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from driving import live, plan_of, step
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.bodies import plain_body
from ctxsim.cell.plan import Expect, Load, Users
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.readings import coded_words, readings


def marks_of(value):
    users = Users(count=20, vars=(("name", value),))
    plan = plan_of(step("GET /", mine=("{user.name}",)), users=users)
    return Marks(plan, len(Traffic(plan, lambda: 0.0).users))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("user{n}", "/login?msg=Welcome%20back%20user7"),
        ("user{n}", json.dumps("Dear customer,\nuser7")),
        ("user{n}", "\u201euser7\u201c"),
        ("user{n}", "Bonjour\u00a0user7"),
        ("user{n}", "\u6b22\u8fce\u60a8\uff0cuser7\uff01"),
        ("Pat O'Neil{n}", "Hello Pat O&#39;Neil7."),
        ("R&D {n}", '{"team": "R\\u0026D 7"}'),
    ],
)
def test_a_name_is_found_behind_escapes_and_beside_other_scripts(name, data):
    """The end of an escape is no letter of the name, and a quotation mark is none either."""
    assert [mark.user for mark in marks_of(name).in_bytes(data.encode())] == [7]


def test_a_name_is_found_inside_a_token():
    """Base64 is decoded for names as it is for canaries."""
    token = urlsafe_b64encode(b'{"sub": "user7", "admin": false}').rstrip(b"=")
    assert [mark.user for mark in marks_of("user{n}").in_bytes(b"v1." + token + b".sig")] == [7]


def spelled_out(data):
    """All readings of `data`, with the library's own ways to undo each coding."""
    text = data.decode(errors="replace")
    yield from (text, unquote(text), unquote_plus(text), html.unescape(text))
    escape = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
    yield escape.sub(lambda found: json.loads(f'"{found[0]}"'), text)


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["&amp;", "&lt", "&#55;", "&#x37", "&nosuch;", "&copy=", "%40", "%2", "+", "%"]
    ),
    st.sampled_from(["\\u0040", "\\n", "\\\\", '\\"', "\\ud83d\\ude00", "\\x", "\\u12"]),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@given(TEXTS)
def test_codings_are_undone_as_the_library_does(text):
    """Whatever stands there, also what is no escape or half of one."""
    data = text.encode(errors="replace")
    assert set(readings(data)) == set(spelled_out(data))


NAMES = [
    "user{n}",
    "{n}",
    "{n}@x.org",
    "O'Neil & {n}",
    "j\u00fcrgen{n}",
    "a{n}-{n}",
    "n {n} @b",
    "+{n}+",
]
CODINGS = [
    str,
    html.escape,
    json.dumps,
    quote,
    quote_plus,
    lambda text: quote(text, safe=""),
    lambda text: f"prefix.{urlsafe_b64encode(text.encode()).decode()}.end",
]


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(TEXTS, st.integers(0, 3), st.integers(1, 20)), min_size=1, max_size=4),
    st.sampled_from(CODINGS),
)
def test_the_quick_look_for_names_loses_none(names, written, coding):
    """What is found is what a search of every reading for every name finds."""
    variables = tuple((f"v{i}", name) for i, name in enumerate(names))
    mine = tuple(f"{{user.v{i}}}" for i in range(len(names)))
    plan = plan_of(step("GET /", mine=mine), users=Users(count=20, vars=variables))
    said = (
        before + names[which % len(names)].replace("{n}", str(number))
        for before, which, number in written
    )
    data = coding("".join(said).encode(errors="replace").decode()).encode(errors="replace")
    wanted = set()
    for name in names:
        first, *rest = map(re.escape, name.split("{n}"))
        pattern = first + r"([1-9]\d{0,4})" + r"\d+".join(rest)
        whole = (
            r"(?<![^\W\u2e80-\uffff])(?<!\ufffd)" + pattern + r"(?![^\W\u2e80-\uffff])(?!\ufffd)"
        )
        for text in (*spelled_out(data), *coded_words(data)):
            wanted |= {(each[0], int(each[1])) for each in re.finditer(whole, text)}
    found = Marks(plan, 99_999).in_bytes(data)
    assert {(mark.text, mark.user) for mark in found} == wanted


def test_a_body_is_read_as_its_headers_say():
    """Its charset and its compression; what they name wrongly is left as it is."""
    latin = [("Content-Type", "text/html; charset=iso-8859-1")]
    assert plain_body("Jürgen 7".encode("latin-1"), latin).decode() == "Jürgen 7"
    packed = [("Content-Encoding", "gzip")]
    assert plain_body(gzip.compress(b"user7"), packed) == b"user7"
    assert plain_body(b"user7", packed) == b"user7"
    assert plain_body(b"user7", [("Content-Type", "text/html; charset=klingon")]) == b"user7"


RAISING = """
import random

carts = {}

def app(environ, start_response):
    tag = environ["QUERY_STRING"]
    carts["last"] = tag
    if len(carts) and environ["PATH_INFO"] == "/raise" and random.random() < 0.2:
        raise KeyError("cart is gone")
    start_response("200 OK", [])
    return [tag.encode()]
"""


def test_an_error_that_is_raised_to_the_server_breaks_what_is_expected(application):
    """The scenario says 200: an exception is no 200, however it got out."""
    asked = step("GET /raise?{canary}", expect=Expect(status=(200,)))
    lived = live(plan_of(asked, target=application(RAISING))).finished()
    assert "CTX208" in lived.codes, lived.told()


def test_a_redirect_is_no_answer_that_was_compared(application):
    """A page that refuses everybody repeats the address, and says nothing of the site."""
    source = """
    def app(environ, start_response):
        start_response("302 Found", [("Location", f"/login?next=/?{environ['QUERY_STRING']}")])
        return [f"go to /login?next=/?{environ['QUERY_STRING']}".encode()]
    """
    lived = live(plan_of("GET /?{canary}", target=application(source))).finished()
    assert lived.codes == {"CTX901"}, lived.told()


def test_the_words_of_the_status_line_are_looked_at(application):
    """`404 No such item ...` carries values as well."""
    source = """
    last = ["nobody"]

    def app(environ, start_response):
        start_response(f"404 No such item {last[0]}", [])
        last[0] = environ["QUERY_STRING"]
        return [b"sorry"]
    """
    asked = step("GET /?{canary}", expect=Expect(status=(404,)))
    lived = live(plan_of(asked, target=application(source), keeps=("app:last",))).finished()
    assert lived.codes == {"CTX201"}, lived.told()


LAZY_SIGNAL = """
from blinker import Namespace
from flask import Flask, request

app = Flask(__name__)
seen = Namespace().signal("seen")

class Metrics:
    def __init__(self):
        self.count = 0
        seen.connect(self.tell)

    def tell(self, sender, **_):
        self.count += 1

@app.before_request
def set_up():
    if "metrics" not in app.extensions:
        app.extensions["metrics"] = Metrics()

@app.route("/")
def index():
    seen.send(app)
    return request.args["tag"]
"""


def test_a_receiver_that_is_connected_once_is_the_application_s(application):
    """An extension made on the first request belongs to no request."""
    lived = live(plan_of("GET /?tag={canary}", target=application(LAZY_SIGNAL))).finished()
    assert lived.findings == [], lived.told()


LEFT = """
import collections
import contextvars
import gc
import threading
from dataclasses import dataclass
from flask import Flask, request

@dataclass(slots=True)
class User:
    name: str

class State(threading.local):
    def __init__(self):
        self.user = None

state = State()
flask_like = contextvars.ContextVar("flask.current_user")
slotted = contextvars.ContextVar("slotted")
queued = threading.local()
app = Flask(__name__)

@app.route("/<way>")
def index(way):
    tag = request.args["tag"]
    if way == "init":
        state.user = tag
    elif way == "prefix":
        flask_like.set(tag)
    elif way == "slots":
        slotted.set(User(tag))
    elif way == "deque":
        queued.last = collections.deque([tag])
    return tag

gc.collect()
gc.freeze()
"""


@pytest.mark.parametrize("way", ["init", "prefix", "slots", "deque"])
def test_residue_is_found_in_whatever_holds_it(application, way):
    """A thread-local with a constructor, a variable with a framework's prefix, slots, a deque."""
    plan = plan_of(f"GET /{way}?tag={{canary}}", target=application(LEFT), load=Load(60))
    lived = live(plan).finished()
    assert lived.codes == {"CTX401"}, lived.told()


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_what_is_inside_of_a_file_is_read():
    """Of several files each, with its name."""
    packed = zipped(first="user7" * 20, second="user8" * 20)
    assert plain_body(packed, []) == b"first\n" + b"user7" * 20 + b"\nsecond\n" + b"user8" * 20
    assert plain_body(gzip.compress(b"user7"), []) == b"user7"


@given(st.binary(max_size=80), st.integers(0, 200))
def test_a_file_that_cannot_be_read_is_no_fault(noise, cut):
    assert isinstance(plain_body(zipped(one="user7" * 20)[:cut] + noise, []), bytes)
    assert isinstance(plain_body(b"\x1f\x8b" + noise, []), bytes)
