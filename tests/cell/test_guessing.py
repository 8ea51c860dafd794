"""An id that no name tells of leads where it is seen to lead, and nowhere else."""

from __future__ import annotations

import json

import pytest

from ctxsim.cell.looking.carrying import Taker
from ctxsim.cell.looking.guessing import Guess, Guesses, Maker
from ctxsim.cell.plan import Step
from ctxsim.cell.sights import Route
from ctxsim.cell.visits import Response

ORDER = Route("GET", "/orders/{user.number}", arguments=("number",))
SENT = "cx0123456789"


def maker(body, path="/checkout", status=201, method="POST", name=""):
    text = body if isinstance(body, str) else json.dumps(body)
    response = Response(status, [], text.encode())
    return Maker(Route(method, path), Step(name, method, path), response, (SENT,))


def guesses(*makers, route=ORDER, others=(), is_lost=True):
    takers = [Taker(each, ()) for each in (route, *others)]
    found = Guesses(takers, lambda _taker: is_lost)
    for each in makers:
        found.heard(each)
    return found


def all_of(found):
    return [guess.text for guess in iter(found.next, None)]


ANSWERS = {
    "id": ({"id": 100}, ["100"]),
    "the likeliest first": ({"basket_id": 3, "id": 100}, ["100", "3"]),
    "the thing itself": ({"order": 100}, ["100"]),
    "inside": ({"made": {"id": "a-7"}}, ["a-7"]),
    "one word": ("c100", ["c100"]),
    "one number": ("order 100 is made", ["100"]),
    "no id": ({"text": "100"}, []),
    "no segment of a path": ({"id": "a/b"}, []),
    "a page": ("<p>100</p>", []),
    "true": ({"id": True}, []),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_tells_one_thing_from_others_is_tried(case):
    body, texts = ANSWERS[case]
    assert all_of(guesses(maker(body))) == texts


def test_only_of_what_made_something_and_was_answered_well():
    assert all_of(guesses(maker({"id": 1}, status=409), maker({"id": 2}, method="GET"))) == []
    # The request that gives something else already can give this as well.
    found = guesses(maker({"id": 1}), maker({"id": 2}, name="checkout"), maker({"id": 3}))
    assert all_of(found) == ["2"]


def test_only_pages_that_were_never_answered_well_are_guessed_at():
    assert all_of(guesses(maker({"id": 1}), is_lost=False)) == []
    removing = Route("DELETE", "/orders/{user.number}")
    assert all_of(guesses(maker({"id": 1}), route=removing)) == []
    assert all_of(guesses(maker({"id": 1}), route=Route("GET", "/orders"))) == []
    assert all_of(guesses(maker({"id": 1}), route=Route("GET", "/orders-{user.number}"))) == []


def test_they_end():
    makers = [maker({"id": 1}, path=f"/make{each}") for each in range(100)]
    assert len(all_of(guesses(*makers))) == 40


@pytest.mark.parametrize(
    ("status", "body", "is_right"),
    [(200, f"order of {SENT}", True), (200, "an order", False), (404, f"no {SENT}", False)],
)
def test_a_guess_is_right_where_the_page_shows_what_was_sent(status, body, is_right):
    guess = guesses(maker({"id": 1})).next()
    assert isinstance(guess, Guess)
    assert guess.is_right(Response(status, [], body.encode())) is is_right


def test_a_right_guess_tells_of_all_that_goes_through_the_same_place():
    through = [Route("DELETE", "/orders/{canary}"), Route("GET", "/orders/{canary}/items")]
    elsewhere = [Route("GET", "/orders"), Route("GET", "/users/{canary}")]
    found = guesses(maker({"id": 1}), others=(*through, *elsewhere))
    alike = found.alike(found.next())
    assert [each.taker.route for each in alike] == [ORDER, *through]
