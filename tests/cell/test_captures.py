"""What a step captures of its answer is sent by later steps of the visit, and by no other visit."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
from urllib.parse import parse_qs, unquote

import pytest
from driving import plan_of, step
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.captures import captured
from ctxsim.cell.plan import Capture, Load, Users
from ctxsim.cell.visits import Response, Traffic

ONE = Users(count=1, visitor=False, vars=(("name", "user{n}"),))
PAGE = """<!doctype html><meta name="csrf" content="m1"><form>
<input name=csrf_token type=hidden value="a&amp;b"><input name="csrf_token" value="second">
<input name=plain><textarea name=note>text</textarea></form>"""
WAYS = {
    ("json", "id"): ("7", {"{a.x}": "7", '"{a.x}"': "7"}),
    ("json", "note.tags.1"): ("q", {"{a.x}": "q"}),
    ("json", "yes"): ("true", {"{a.x}": "true", '"{a.x}"': "true"}),
    ("json", "note"): (None, {}),
    ("json", "none"): (None, {}),
    ("json", "note.tags.9"): (None, {}),
    ("header", "LOCATION"): ("/notes/31?x=1", {"{a.x}": "/notes/31?x=1"}),
    ("header", "X-None"): (None, {}),
    ("cookie", "csrf"): ("k=v", {"{a.x}": "k=v"}),
    ("cookie", "none"): (None, {}),
    ("regex", r"/notes/(\d+)"): ("31", {"{a.x}": "31"}),
    ("regex", r"tags"): ("tags", {"{a.x}": "tags"}),
    ("regex", r"/none/(\d+)"): (None, {}),
    ("regex", r"(none)?/notes"): (None, {}),
}
HEADERS = [
    ("Location", "/notes/31?x=1"),
    ("Set-Cookie", "other=1; Path=/"),
    ("Set-Cookie", "csrf=k=v; HttpOnly"),
]
DOCUMENT = json.dumps({"id": 7, "yes": True, "none": None, "note": {"tags": ["p", "q"]}}).encode()


def took(kind, what, headers=(), body=b""):
    return captured(step("GET /", "a", captures=(Capture("x", kind, what),)), headers, body)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_each_way_finds_its_value_or_none(way):
    """Numbers are there twice: as texts, and as what they are in JSON."""
    assert took(*way, HEADERS, DOCUMENT) == WAYS[way][1]


def test_the_first_field_of_a_name_is_taken_with_its_entities_undone():
    """Hidden fields and metadata of a page are found, whatever their quotes."""
    assert took("field", "csrf_token", (), PAGE.encode()) == {"{a.x}": "a&b"}
    assert took("field", "csrf", (), PAGE.encode()) == {"{a.x}": "m1"}
    assert took("field", "plain", (), PAGE.encode()) == {}


def test_what_a_compressed_body_holds_is_found():
    """A client that takes gzip reads what is inside."""
    packed = gzip.compress(DOCUMENT)
    assert took("json", "id", [("Content-Encoding", "gzip")], packed)["{a.x}"] == "7"


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b'{"id": ""}', b'{"id": "a\\nb"}'])
def test_an_answer_without_a_value_that_can_be_sent_gives_none(body):
    """Any bytes may come back; a line break could not be sent in a header."""
    assert took("json", "id", (), body) == {}


@given(st.binary(), st.sampled_from(["json", "field", "regex"]))
def test_no_answer_is_an_error(body, kind):
    """An application may answer anything."""
    for value in took(kind, "a", (), body).values():
        assert isinstance(value, str)


def answered(steps, answer, requests=6):
    """What one user sends whose requests are answered by `answer(request)`."""
    plan = plan_of(*steps, users=ONE, load=Load(requests=requests))
    traffic = Traffic(plan, clock=itertools.count().__next__)
    sent = []
    while (request := traffic.take()) is not None:
        sent.append(request)
        traffic.done(request, answer(request), kept_promise=True)
    return sent


MAKE = step("POST /notes", "note", captures=(Capture("id", "json", "id"),))


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_text_arrives_as_it_was_wherever_it_is_sent(value):
    """Each place has its own coding."""
    to = "{note.id}"
    uses = step(
        f"PUT /notes/{to}/x?q={to}", form=(("f", to),), headers=(("X-Id", to),), auth=("n", to)
    )
    as_json = step("PUT /notes", json={"a": to, "b": f"<{to}>"}, has_json=True)
    body = json.dumps({"id": value}).encode()
    _, put, other = answered([MAKE, uses, as_json], lambda _: Response(200, [], body), 3)
    assert unquote(put.path) == f"/notes/{value}/x"
    assert put.path.count("/") == 3
    assert parse_qs(put.query, keep_blank_values=True) == {"q": [value]}
    assert parse_qs(put.body.decode(), keep_blank_values=True) == {"f": [value]}
    headers = dict(put.headers)
    assert headers["X-Id"].encode("latin-1").decode() == value
    coded = headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(coded).decode() == f"n:{value}"
    assert json.loads(other.body) == {"a": value, "b": f"<{value}>"}


def test_a_number_stays_one_where_it_is_a_whole_value_of_json():
    """Within a longer text it is written out."""
    uses = step("PUT /x", json={"id": "{note.id}", "t": "no. {note.id}"}, has_json=True)
    _, put = answered([MAKE, uses], lambda _: Response(200, [], b'{"id": 12}'), 2)
    assert json.loads(put.body) == {"id": 12, "t": "no. 12"}
    assert put.fill_value("{note.id}") == 12
    assert put.fill("{note.id}") == "12"


@pytest.mark.parametrize(
    "lacking",
    [
        Response(500, [], b'{"id": 1}'),
        Response(404, [], b'{"id": 1}'),
        Response(0, [], b""),
        Response(200, [], b'{"id": 1}', complete=False),
        Response(200, [], b"{}"),
    ],
    ids=["error", "missing", "none", "left", "without"],
)
def test_a_step_whose_value_was_not_given_is_left_out(lacking):
    """What needs nothing of the answer is sent all the same."""
    steps = [MAKE, "GET /notes/{note.id}", "GET /all"]
    sent = answered(steps, lambda _: lacking, 4)
    assert [each.path for each in sent] == ["/notes", "/all"] * 2


def test_the_canary_of_a_step_that_was_left_out_is_not_sent_as_a_placeholder():
    """A step that mentions it is left out as well."""
    steps = [MAKE, step("GET /notes/{note.id}", "shown"), "GET /seen/{shown.canary}", "GET /all"]
    sent = answered(steps, lambda _: Response(200, [], b"{}"), 4)
    assert [each.path for each in sent] == ["/notes", "/all"] * 2


def test_each_visit_has_its_own_values():
    """What one visit was given is not sent in the next, also where that is given nothing."""
    answers = iter([b'{"id": 1}', b"", b'{"id": 2}', b"", b"{}", b'{"id": 3}', b""])
    steps = [MAKE, "GET /notes/{note.id}"]
    sent = answered(steps, lambda _: Response(200, [], next(answers)), 7)
    paths = [each.path for each in sent]
    assert paths == ["/notes", "/notes/1", "/notes", "/notes/2", "/notes", "/notes", "/notes/3"]


def test_what_is_next_is_told_as_it_will_be_sent():
    """A search asks for the next step before it makes the request."""
    plan = plan_of(MAKE, "GET /notes/{note.id}", "GET /all", users=ONE, load=Load(requests=9))
    traffic = Traffic(plan, clock=itertools.count().__next__)
    [lane] = traffic.lanes
    for body in (b'{"id": 1}', b"{}", b'{"id": 1}', b"", b""):
        told = traffic.next_step(lane)
        request = traffic.next_of(lane)
        assert request.prepared.index == told
        traffic.done(request, Response(200, [], body), kept_promise=True)
