"""Which event on native threads is what a case tells of, and which is another."""

import pytest

from ctxsim.cell.history import AS_ANOTHER, Event, Who
from ctxsim.cell.searching.confirming import is_shown_by, may_be_by_chance

ANSWER = Event("answer.foreign", "body", Who(1, 2, "GET /who"), Who(2, 1), "request")
RESIDUE = Event("residue", "thread-local shop.kept", Who(1, 2, "GET /who"))
OTHERWISE = Event("answer.otherwise", "status 500", Who(1, 2, "GET /who"))
DEADLOCK = Event("deadlock", "Lock.acquire at shop.py:3", Who(1, 2, "GET /who"))


def other(event, **changed):
    known = {name: getattr(event, name) for name in ("kind", "place", "victim", "relation")}
    return Event(**{**known, **changed})


@pytest.mark.parametrize(
    ("event", "cause", "shown"),
    [
        (ANSWER, ANSWER, True),
        # Where in the answer, and whose value it is, may be another.
        (other(ANSWER, place="header X-Who", victim=Who(3, 1, "GET /who")), ANSWER, True),
        (other(ANSWER, victim=Who(1, 2, "GET /other")), ANSWER, False),
        (other(ANSWER, relation="visitor"), ANSWER, False),
        (other(ANSWER, kind="session.foreign"), ANSWER, False),
        (RESIDUE, RESIDUE, True),
        # A library may keep something of its own in a thread.
        (other(RESIDUE, place="thread-local library.kept"), RESIDUE, False),
        (OTHERWISE, OTHERWISE, True),
        (other(OTHERWISE, place="status 404"), OTHERWISE, False),
        (other(OTHERWISE, place=AS_ANOTHER), other(OTHERWISE, place="body"), False),
        # Who waits for ever is told by where threads stand, not by an event.
        (DEADLOCK, DEADLOCK, False),
    ],
)
def test_an_event_shows_a_cause_where_code_and_route_are_the_same(event, cause, shown):
    assert is_shown_by(event, cause.cause) is shown


def test_only_an_answer_that_is_otherwise_may_be_so_by_chance():
    assert not may_be_by_chance(ANSWER.cause, 1, 20)
    assert not may_be_by_chance(OTHERWISE.cause, 5, 5)
    assert may_be_by_chance(OTHERWISE.cause, 4, 5)
    assert may_be_by_chance(OTHERWISE.cause, 1, 1)
