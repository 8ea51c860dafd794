"""Which smaller windows a search tries that nothing more can be left out of."""

from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.points import Points, Switch
from ctxsim.cell.searching.nearby import attempts, is_smaller
from ctxsim.cell.searching.scripts import Script, Window


def window(*lanes, preemptions=0):
    switches = tuple(Switch(0, 1 + each, 1) for each in range(preemptions))
    return Window(lanes, 1, Points((), switches))


def tried(last, *steps):
    """What comes before, and who meets then; and with how many preemptions at most."""
    script = Script(0, (Window(((9,),), 1), last), passed_over=frozenset({0}))
    found = []
    for each in attempts(script, Schedule(steps, (1,) * len(steps))):
        _, *before, meeting = each.script.windows
        assert meeting.points is None
        assert all(window.requests == 1 for window in before)
        found.append(([w.lanes[0][0] for w in before], meeting.lanes, each.bound))
    return found


def test_of_two_requests_with_one_preemption_there_is_nothing_less():
    assert tried(window((1,), (2,), preemptions=1), 0, 1, 0) == []
    assert tried(window((1, 2)), 0) == []


def test_two_requests_are_tried_with_fewer_preemptions():
    both = ((1,), (2,))
    assert tried(window(*both, preemptions=3), 0, 1, 0) == [([], both, 2)]


def test_of_three_requests_each_is_left_out():
    found = tried(window((1,), (2,), (3,)), 0, 1, 2)
    pairs = (((2,), (3,)), ((1,), (3,)), ((1,), (2,)))
    assert [(before, meeting) for before, meeting, _ in found] == [
        *(([], pair) for pair in pairs),
        *(([left], pair) for left, pair in zip((1, 2, 3), pairs, strict=True)),
    ]
    # One worker alone takes no turns.
    assert [meeting for _, meeting, _ in tried(window((1, 2), (3,)), 0, 1)] == 2 * [
        ((2,), (3,)),
        ((1,), (3,)),
    ]


def test_of_a_crowd_the_last_ones_meet_and_others_come_before():
    found = tried(window((1,), (2, 3), (4,), (5,)), 0, 1, 2, 3, 1, 3)
    assert [(before, meeting) for before, meeting, _ in found] == [
        ([], ((3,), (5,))),
        ([], ((3,), (4,), (5,))),
        ([1], ((3,), (5,))),
        ([1], ((3,), (4,), (5,))),
        ([1, 2], ((3,), (5,))),
        ([1, 2], ((3,), (4,), (5,))),
    ]


def test_what_few_come_before_may_be_there_by_chance():
    both = window((1,), (2,))
    script = Script(0, (Window(((9,),), 1), both))
    [attempt] = attempts(script, Schedule((0, 1), (2, 1)))
    assert [each.lanes for each in attempt.script.windows] == [((9,),), both.lanes]
    assert attempt.script.passed_over == {0}
    assert is_smaller(attempt.script, script)
    many = Script(0, (*[Window(((9,),), 1)] * 20, both))
    assert not list(attempts(many, Schedule((0, 1), (2, 1))))


def test_fewer_that_meet_matter_more_than_fewer_preemptions():
    two, three = window((1,), (2,), preemptions=3), window((1,), (2,), (3,), preemptions=1)
    one, other = (Script(0, (each,)) for each in (two, three))
    assert is_smaller(one, other)
    assert not is_smaller(Script(0, (window((1,), (2,), preemptions=4),)), other)
    assert not is_smaller(other, one)
    assert not is_smaller(one, one)
