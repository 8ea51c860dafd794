"""What an answer gives to other routes is found in it, and sent to those that take it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.looking.carrying import Carrying, Taker, Use, applied, gifts, with_arguments
from ctxsim.cell.plan import Step
from ctxsim.cell.sights import Read, Route
from ctxsim.cell.visits import Response

NOTE = Route("GET", "/notes/{user.number}", arguments=("note_id",))
LINKED = ("regex", r"/notes/([\w-]+)")
HIDDEN = b'<form><input type="hidden" name="csrf_token" value="t0k"></form>'


def answer(body=b"", status=200, **headers):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, [(k.replace("_", "-"), v) for k, v in headers.items()], text)


def given_to(giver, response, taker, *reads):
    """What the taker uses, and of which place in the answer it comes."""
    found = gifts(giver, response, [Taker(taker, reads)])
    return {(each.use, each.capture.kind, each.capture.what) for each in found}


def test_what_gives_back_by_what_a_user_is_known_is_no_giver():
    taker = Taker(Route("POST", "/login"), [Read("form", "token")])
    for own in ("ctx1", "of-the-application"):
        found = gifts(Route("GET", "/token"), answer({"token": own}), [taker], ("cx7", "ctx1"))
        assert bool(found) == (own != "ctx1")


PATHS = {
    "member": ("/notes", answer({"id": 7}, 201), NOTE, ("json", "id")),
    "inside": ("/notes", answer({"note": {"id": 7}}), NOTE, ("json", "note.id")),
    "outer before inner": ("/notes", answer({"a": {"id": 1}, "id": 7}), NOTE, ("json", "id")),
    "its name": ("/checkout", answer({"note_id": 7}), NOTE, ("json", "note_id")),
    "in another style": ("/checkout", answer({"noteId": 7}), NOTE, ("json", "noteId")),
    "of the thing": ("/notes", answer({"note_number": 7}), NOTE, ("json", "note_number")),
    "in the singular": ("/note/new", answer({"id": 7}), NOTE, ("json", "id")),
    "redirect": (
        "/x",
        answer(status=302, Location="/notes/7"),
        NOTE,
        ("regex", r"/notes/([\w-]+)"),
    ),
    "link": ("/x", answer(b'<a href="/notes/7">'), NOTE, ("regex", r"/notes/([\w-]+)")),
    "one number": (
        "/notes",
        answer(b"created note 17."),
        NOTE,
        ("regex", r"(?<![\w.])(\d+)(?!\w|\.\d)"),
    ),
    "one word": ("/notes", answer(b"a3-f\n"), NOTE, ("regex", r"^([\w-]+)\s*$")),
    "deeper": (
        "/users/{user.number}/notes",
        answer({"id": 7}),
        Route("GET", "/users/{user.number}/notes/{canary}"),
        ("json", "id"),
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_what_was_made_is_found_by_what_its_answer_says(name):
    path, response, taker, (kind, what) = PATHS[name]
    nth = str(taker.path.count("{") - 1)
    assert given_to(Route("POST", path), response, taker) == {(Use("path", nth), kind, what)}


NO_PATHS = {
    "another thing": (Route("POST", "/users"), answer({"id": 7}), NOTE),
    "two numbers": (Route("POST", "/notes"), answer(b"note 17 of 20"), NOTE),
    "a page": (Route("POST", "/notes"), answer(b"<p>17</p>"), NOTE),
    "a link to what makes": (Route("POST", "/x"), answer(b"/notes/new"), NOTE),
    "nothing made": (Route("GET", "/notes"), answer({"id": 7}), NOTE),
    "no argument": (Route("POST", "/notes"), answer({"id": 7}), Route("GET", "/notes")),
    "a list": (Route("POST", "/notes"), answer([{"id": 7}]), NOTE),
    "true": (Route("POST", "/notes"), answer({"id": True}), NOTE),
    "no scalar": (Route("POST", "/notes"), answer({"id": [7]}), NOTE),
    "a dotted name": (Route("POST", "/notes"), answer({"a.id": 7}), NOTE),
}


@pytest.mark.parametrize("name", NO_PATHS)
def test_what_was_not_made_there_is_not_asked_for(name):
    giver, response, taker = NO_PATHS[name]
    assert given_to(giver, response, taker) == set()


LOGIN = Route("POST", "/login")
ME = Route("GET", "/me")
BEARER = Read("auth", "header")


@pytest.mark.parametrize("name", ["token", "access_token", "accessToken", "jwt", "auth-token"])
def test_a_token_is_what_a_user_says_who_it_is_by(name):
    found = given_to(LOGIN, answer({name: "abc", "token_type": "bearer"}), ME, BEARER)
    assert found == {(Use("bearer"), "json", name)}


@pytest.mark.parametrize("name", ["refresh_token", "csrf_token", "token_type", "user", "id"])
def test_other_texts_are_no_token(name):
    assert given_to(LOGIN, answer({name: "abc"}), ME, BEARER) == set()
    assert given_to(LOGIN, answer({"token": 5}), ME, BEARER) == set()


def test_a_value_is_sent_under_the_name_that_it_was_given_with():
    response = answer({"api_key": "k", "cart_id": 3, "name": "n", "id": 1})
    reads = [Read("header", "X-Api-Key"), Read("query", "cart_id"), Read("json", "name")]
    assert given_to(LOGIN, response, ME, *reads, Read("query", "id")) == {
        (Use("header", "X-Api-Key"), "json", "api_key"),
        (Use("query", "cart_id"), "json", "cart_id"),
    }


@pytest.mark.parametrize(
    ("given", "read"),
    [("cursor", "cursor"), ("next_cursor", "cursor"), ("page.nextCursor", "cursor")],
)
def test_a_list_gives_what_its_next_page_is_asked_for_by(given, read):
    orders = Route("GET", "/orders")
    *outer, name = given.split(".")
    said = {name: "c7", "id": 3}
    found = given_to(
        orders, answer({outer[0]: said} if outer else said), orders, Read("query", read)
    )
    assert found == {(Use("query", read), "json", given)}
    assert not given_to(orders, answer({name: None}), orders, Read("query", read))


def test_the_hidden_field_of_a_form_is_for_what_may_change_things():
    form = Route("GET", "/form")
    post = Route("POST", "/say")
    assert given_to(form, answer(HIDDEN), post) == {
        (Use("form", "csrf_token"), "field", "csrf_token")
    }
    assert given_to(form, answer(HIDDEN), ME) == set()
    plain = HIDDEN.replace(b"csrf_token", b"colour")
    assert given_to(form, answer(plain), post) == set()


def test_a_cookie_against_forged_requests_is_said_again_in_a_header():
    form, post = Route("GET", "/form"), Route("POST", "/say")
    given = answer(b"", Set_Cookie="csrftoken=abc; Path=/")
    assert given_to(form, given, post) == {(Use("header", "X-CSRFToken"), "cookie", "csrftoken")}
    with_field = answer(HIDDEN, Set_Cookie="csrftoken=abc; Path=/")
    assert {use.place for use, _, _ in given_to(form, with_field, post)} == {"form"}


def test_a_step_sends_what_it_takes_in_the_place_of_what_it_would():
    step = Step(
        "", "POST", "/a?key=1&b=2", (("X-Key", "1"), ("Cookie", "a=1; sid=2")), (("f", "1"),),
        auth=("n", "p"),
    )  # fmt: skip
    uses = {
        Use("bearer"): "{l.t}",
        Use("header", "x-key"): "{l.k}",
        Use("cookie", "sid"): "{l.s}",
        Use("query", "key"): "{l.q}",
        Use("form", "f"): "{l.f}",
    }
    made = applied(step, uses)
    assert made.path == "/a?b=2&key={l.q}"
    assert dict(made.headers) == {
        "x-key": "{l.k}",
        "Cookie": "a=1; sid={l.s}",
        "Authorization": "Bearer {l.t}",
    }
    assert made.form == (("f", "{l.f}"),)
    assert made.auth is None
    in_json = applied(Step("", "POST", "/a", json={"f": 1}, has_json=True), {Use("json", "f"): "x"})
    assert in_json.json == {"f": "x"}


def test_each_argument_of_a_path_is_what_was_made_there():
    path = "/projects/{canary}/tasks/{user.number}"
    task = Route("GET", path)
    project = given_to(Route("POST", "/projects"), answer({"id": 7}), task)
    assert project == {(Use("path", "0"), "json", "id")}
    inner = given_to(Route("POST", "/projects/{canary}/tasks"), answer({"id": 7}), task)
    assert inner == {(Use("path", "1"), "json", "id")}
    uses = {Use("path", "1"): "{tasks.id}"}
    assert with_arguments(path, uses) == "/projects/{canary}/tasks/{tasks.id}"
    uses[Use("path", "0")] = "{projects.id}"
    assert with_arguments(path, uses) == "/projects/{projects.id}/tasks/{tasks.id}"


def test_the_first_answer_that_has_a_value_gives_it():
    takers = [Taker(NOTE, ()), Taker(ME, (BEARER,))]
    carrying = Carrying(takers)
    made = Route("POST", "/notes")
    sent = Step("", "POST", "/notes")
    step, news = carrying.heard(made, sent, answer({"id": 7, "token": "t"}), {})
    assert news == takers
    assert step.name == "notes"
    assert takers[0].uses == {Use("path", "0"): "{notes.id}"}
    assert takers[1].uses == {Use("bearer"): "{notes.token}"}
    assert carrying.visit["{notes.id}"] == "7"
    assert carrying.heard(made, sent, answer({"id": 8}), {}) == (sent, [])
    again = Step("", "POST", "/note")
    assert carrying.heard(Route("POST", "/note"), again, answer({"id": 9}), {}) == (again, [])
    assert carrying.visit["{notes.id}"] == "7"


TITLE = (("owner", "{user.canary}"), ("title", "{canary}"))
MADE = "{notes.canary}"
ASKED = {
    "the same name": ("GET", "/notes", ("page", "Title"), TITLE, ("Title", MADE)),
    "what searches are asked by": ("GET", "/notes", ("page", "q"), TITLE, ("q", MADE)),
    "the only one": ("GET", "/notes", ("job",), TITLE, ("job", MADE)),
    "a search": ("GET", "/notes/search", ("q",), TITLE, ("q", MADE)),
    "a search of all": ("GET", "/find", ("q",), TITLE, ("q", MADE)),
    "a user's name": ("GET", "/notes", ("q",), TITLE[:1], ("q", "{user.canary}")),
    "no name of it": ("GET", "/notes", ("q",), (("kind", "short"),), None),
    "another thing": ("GET", "/users", ("q",), TITLE, None),
    "a part of it": ("GET", "/notes/tags", ("q",), TITLE, None),
    "a search of another": ("GET", "/users/search", ("q",), TITLE, None),
    "nothing that asks": ("GET", "/notes", (), TITLE, None),
    "what changes": ("PUT", "/notes", ("q",), TITLE, None),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_was_made_is_asked_for_by_the_name_that_it_was_given(name):
    method, path, asked, form, used = ASKED[name]
    taker = Taker(Route(method, path), (), asked)
    sent = Step("", "POST", "/notes", form=form)
    step, news = Carrying([taker]).heard(Route("POST", "/notes"), sent, answer(b"done"), {}, "cx1")
    assert taker.uses == ({Use("query", used[0]): used[1]} if used else {})
    assert (step.name, news) == (("notes", [taker]) if used else ("", []))


def test_an_answer_that_failed_gives_nothing():
    taker = Taker(NOTE, ())
    step = Step("", "POST", "/notes")
    heard = Carrying([taker]).heard(Route("POST", "/notes"), step, answer({"id": 7}, 409), {})
    assert heard == (step, [])


@given(st.binary(), st.text(max_size=20))
def test_any_answer_may_come(body, location):
    routes = [Taker(NOTE, (BEARER,)), Taker(Route("POST", "/form"), ())]
    for giver in (Route("POST", "/notes"), Route("GET", "/form")):
        for each in gifts(giver, answer(body, 302, Location=location), routes):
            assert each.capture.what


@pytest.mark.parametrize("path", ["/notes/status", "/status", "/note/search"])
def test_words_that_end_as_plurals_do_are_told_from_them(path):
    taker = Taker(Route("GET", path), (), ("q",))
    sent = Step("", "POST", "/notes", form=TITLE)
    Carrying([taker]).heard(Route("POST", "/notes"), sent, answer(b"done"), {}, "cx1")
    assert taker.uses == {Use("query", "q"): MADE}
