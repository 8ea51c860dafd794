"""An answer that is as one before but for its canary is known; any other one is looked at."""

from __future__ import annotations

import contextlib

import pytest
from driving import plan_of, step
from hypothesis import assume, given
from hypothesis import strategies as st

from ctxsim.cell.canaries import canary, user_prefix
from ctxsim.cell.history import Tally
from ctxsim.cell.plan import Expect, Faults, Load, Users
from ctxsim.cell.visits import Response, Traffic
from ctxsim.cell.witness.again import Again
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.record import Record

TYPE = ("Content-Type", "text/html; charset=utf-8")
NAMED = Users(count=4, visitor=False, vars=(("name", "user{n}"),))
ANYBODY = Users(count=4, visitor=False)


class Examined:
    """Answers that are looked at one after the other, and what is noted of them."""

    def __init__(self, again=True, users=ANYBODY, **keys):
        plan = plan_of(
            step("GET /", **keys), users=users, faults=Faults(), load=Load(requests=1000)
        )
        self.said = []
        self.traffic = Traffic(plan, lambda: 0.0)
        marks = Marks(plan, len(self.traffic.users))
        record = Record(self.said.append, contextlib.nullcontext())
        owner = Owner(plan, self.traffic, marks, lambda _name: None)
        self.answers = Answers(marks, owner, record, "session")
        if again:
            self.answers.again = Again(plan, marks, None)
        self.tally = Tally()
        self.looked = 0
        look = self.answers._look

        def looking(*args):
            self.looked += 1
            return look(*args)

        self.answers._look = looking

    def answer(self, body, headers=(TYPE,), status=200):
        """Have the next request answered with `body` of it; True where all is as expected."""
        request = self.traffic.take()
        text = body(request) if callable(body) else body
        response = Response(status, list(headers), text.encode(errors="replace"), reason="OK")
        kept = self.answers.examine(request, response, self.tally)
        self.traffic.done(request, response, kept_promise=kept)
        return kept

    def noted(self):
        return [(each["event"]["kind"], each["event"]["place"]) for each in self.said]


def own(request):
    return f"<p>This is {request.canary}.</p>"


def test_an_answer_is_looked_at_until_it_came_twice():
    """From then on nothing of it is new, and it counts as compared as before."""
    examined = Examined()
    assert all(examined.answer(own) for _ in range(10))
    assert examined.looked == 2
    assert examined.tally.compared == 10


OTHER = canary(user_prefix("0badcafe", 1, 3), 77)
CHANGES = [
    lambda r: f"<p>This is {OTHER}.</p>",
    lambda r: f"<p>This is {r.canary}.</p>{OTHER}",
    lambda r: f"<p>This is {OTHER[:20]}{r.canary[20:]}.</p>",
    lambda r: f"<p>This is {r.canary.upper()}.</p>{OTHER.upper()}",
]


@pytest.mark.parametrize("changed", CHANGES)
def test_another_canary_in_a_known_answer_is_found(changed):
    """Beside the request's own, or in its place."""
    examined = Examined()
    for _ in range(5):
        examined.answer(own)
    # One of the four users is the one whose canary it is.
    for _ in range(4):
        examined.answer(changed)
    assert ("answer.foreign", "body") in examined.noted()


def test_what_stands_in_for_another_text_is_found_in_headers():
    """A known body does not make the head known."""
    examined = Examined()
    for _ in range(5):
        examined.answer(own)
    for _ in range(4):
        examined.answer(own, (TYPE, ("X-Last", OTHER)))
    assert ("answer.foreign", "header X-Last") in examined.noted()


def test_a_missing_canary_is_found_in_a_known_answer():
    """As the expectation says, for each request."""
    examined = Examined(expect=Expect(contains=("{canary}",)))
    assert all(examined.answer(own) for _ in range(5))
    assert not examined.answer("<p>This is .</p>")
    assert not examined.answer("<p>This is \x7fcanary\x7f.</p>")


def test_the_page_of_one_user_is_not_known_for_another():
    """What a user is told of itself belongs to that user each time."""
    examined = Examined(users=NAMED, mine=("{user.name}",))
    for _ in range(20):
        examined.answer(lambda r: f"{own(r)} Hello user{r.user.number}")
    assert not examined.said
    seen = examined.looked
    for _ in range(4):
        examined.answer(lambda r: f"{own(r)} Hello user2")
    # Of the four users only the second is told of itself.
    assert examined.looked == seen + 3
    assert ("answer.foreign", "body") in examined.noted()


def test_a_canary_that_is_part_of_a_word_is_looked_at_each_time():
    """Its digits and what is beside them may be something else together."""
    examined = Examined()
    for _ in range(5):
        examined.answer(lambda r: f"Zm9v{r.canary}YmFy")
    assert examined.looked == 5


@pytest.mark.parametrize("expect", [Expect(unique=""), Expect(absent=("{cart.canary}",))])
def test_an_expectation_of_other_requests_is_looked_at_each_time(expect):
    """What they were answered, or sent, is not told by the answer."""
    examined = Examined(expect=expect)
    for _ in range(5):
        examined.answer(own)
    assert examined.looked == 5


def test_a_cookie_is_looked_at_each_time():
    """It may be coded in ways of its own."""
    examined = Examined()
    for _ in range(5):
        examined.answer(own, (TYPE, ("Set-Cookie", "session=eyJhIjoxfQ.x")))
    assert examined.looked == 5


PARTS = ["OWN", "OTHER", OTHER[:18], "user1", "user2", " ", "<b>", "%41", "&#99;", "\n", "Zm", "="]
BODIES = st.lists(st.lists(st.sampled_from(PARTS), max_size=4), min_size=1, max_size=3)


@given(BODIES, st.lists(st.integers(0, 2), max_size=30), st.sampled_from([NAMED, ANYBODY]))
def test_nothing_is_seen_less(bodies, order, users):
    """Whatever comes in whichever order, the same is noted and counted as without."""
    assume(order)
    both = [Examined(again, users, mine=("{user.name}",)) for again in (False, True)]
    for each in order:
        parts = bodies[each % len(bodies)]
        for examined in both:
            examined.answer(
                lambda r, parts=parts: (
                    "".join(parts)
                    .replace("OWN", r.canary)
                    .replace("OTHER", canary(user_prefix("0badcafe", 1, r.user.number % 4 + 1), 9))
                )
            )
    without, with_it = both
    assert with_it.said == without.said
    assert with_it.tally == without.tally
    assert with_it.answers._owner.recalled == without.answers._owner.recalled
