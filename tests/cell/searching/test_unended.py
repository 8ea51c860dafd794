"""What does not end is told by what shows when it is carried again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ctxsim.cell.schedule.execution import Loop
from ctxsim.cell.searching.endless import only_those
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
