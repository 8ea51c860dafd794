"""What does not end is told by what shows when it is carried again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ctxsim.cell.history import Who
from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.execution import Loop
from ctxsim.cell.searching.courses import Course, Mark
from ctxsim.cell.searching.endless import only_those, waits_on
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.unended import Unended

SEEN = ("endless", "", "goes round at shop.py:26-27", "")
WITH_ANOTHER = ("endless", "", "goes round at shop.py:22-23; goes round at shop.py:26-27", "")
ELSEWHERE = ("endless", "", "goes round at shop.py:7", "")
LOCKED = ("deadlock", "", "goes round at shop.py:26-27", "")


def carried(*causes):
    """What a script with two requests shows; one request alone ends."""
    return lambda asked: SimpleNamespace(
        causes=causes if len(asked.script.windows[-1].lanes) > 1 else ()
    )


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ((SEEN, WITH_ANOTHER), SEEN),
        ((ELSEWHERE, WITH_ANOTHER), WITH_ANOTHER),
        ((ELSEWHERE, LOCKED), SEEN),
        ((), SEEN),
    ],
)
def test_who_only_follows_may_be_seen_or_not(shown, told):
    """Whether a request that came later has gone round yet is no matter of the two that do."""
    script = Script(0, (Window(((0,), (1,)), 7),))
    assert only_those(script, SEEN, carried(*shown)) == (script, told)


BEFORE, LOOP, AFTER = (Mark("shop.py", line, "buy", "") for line in (5, 7, 9))
VICTIM, OTHER = Who(1, 1, "GET /buy"), Who(2, 1, "GET /buy")


def beside(through):
    """Whether one waits for ever, where another one of its window got through the loop, or one
    that was sent besides."""
    alone = Course(
        Schedule((0, 0, 0, 0, *(1,) * 300), (2,) * 304),
        ((BEFORE, LOOP, AFTER), (BEFORE, *[LOOP] * 298)),
        requests=((OTHER,), (VICTIM,)),
        unended=(1,),
        spinning=(1,),
        steps=((1,), (0,)),
        decisive=6,
    )
    others = ((BEFORE, *[LOOP] * 50, *[AFTER] * through),)
    ended = () if through else (2,)
    together = Course(
        alone.schedule,
        (*alone.marks, *others),
        requests=(*alone.requests, (Who(3, 1, "GET /buy"),)),
        unended=(1, *ended),
        steps=(*alone.steps, (2,)),
    )
    script = Script(0, (Window(((0,), (1,)), 7),))
    return waits_on(script, VICTIM, lambda asked: together if asked.with_others else alone)


def test_who_got_through_before_another_one_was_stuck_tells_nothing():
    """It found another state."""
    assert beside(through=0)
    assert not beside(through=1)


def with_long_ones():
    """Two routes whose requests were cut off now and then, after far more steps than others."""
    steps = [SimpleNamespace(route="POST /transfer"), SimpleNamespace(route="GET /report")]
    unended = Unended(steps)
    ended = SimpleNamespace(ended={0, 1}, cut_off=(), longest={0: 9, 1: 9}, longest_cut_off={})
    cut_off = SimpleNamespace(
        ended=(), cut_off={0, 1}, longest={}, longest_cut_off={0: 19_990, 1: 19_990}
    )
    unended.take(ended)
    unended.take(cut_off)
    return unended


def test_requests_that_take_far_too_many_steps_now_and_then_are_a_reason_for_doubt():
    assert [each.partition(" did not end")[0] for each in with_long_ones().doubts] == [
        "GET /report",
        "POST /transfer",
    ]


def test_of_a_route_that_was_found_never_to_end_it_is_not_said_once_more():
    unended = with_long_ones()
    unended.found(WITH_ANOTHER[2], [0])
    [doubt] = unended.doubts
    assert doubt.startswith("GET /report did not end")


def test_loops_that_were_found_to_have_no_end_are_known_from_then_on():
    unended = with_long_ones()
    unended.found(f"{WITH_ANOTHER[2]}; Lock.acquire at shop.py:3; {ELSEWHERE[2]}", [0])
    assert unended.limits.loops == (
        Loop("shop.py", 22, 23),
        Loop("shop.py", 26, 27),
        Loop("shop.py", 7, 7),
    )
