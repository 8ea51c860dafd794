"""A schedule is one value: it is told in several ways, stored, and followed again to the letter."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import chain, execute, lost_update, order

from ctxsim.cell.schedule.choices import (
    Choice,
    Lengths,
    Schedule,
    counts_of,
    first_difference,
    run_lengths,
    unrolled,
)
from ctxsim.cell.schedule.points import Points, Site, Switch, points_of, steps_of
from ctxsim.cell.schedule.strategies.random_walk import RandomWalk
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.errors import DivergedError


def walked(model, seed):
    return execute(model, RandomWalk().begin(0, seed, Lengths()))


MODELS = st.sampled_from([lost_update(2), lost_update(5), order(4), chain()])
# A busy machine takes its time.
UNHURRIED = settings(deadline=None)
SCHEDULES = st.builds(walked, MODELS, st.integers(0, 10**6)).map(lambda each: each.schedule)


@given(st.lists(st.integers(0, 5)).map(tuple))
def test_runs_tell_every_step(steps):
    assert unrolled(run_lengths(steps)) == steps


@UNHURRIED
@given(SCHEDULES)
def test_a_schedule_survives_json(schedule):
    assert Schedule.from_json(json.loads(json.dumps(schedule.as_json()))) == schedule


@UNHURRIED
@given(SCHEDULES)
def test_points_survive_json(schedule):
    points = points_of(schedule)
    assert Points.from_json(json.loads(json.dumps(points.as_json()))) == points


def test_a_site_stays_with_its_switch():
    site = Site("shop.py", 12, "cart", 2)
    points = Points((0, 1), (Switch(0, 3, 1, site),))
    told = json.loads(json.dumps(points.as_json()))
    assert told["preemptions"] == [[0, 3, 1, ["shop.py", 12, "cart", 2]]]
    assert Points.from_json(told).preemptions[0].site == site


@UNHURRIED
@given(SCHEDULES)
def test_the_switches_tell_a_schedule(schedule):
    """Where nobody waits, they and the lengths of the workers give each step."""
    assert steps_of(points_of(schedule), counts_of(schedule.steps)) == schedule.steps


def test_only_a_switch_that_somebody_had_to_make_way_for_is_a_preemption():
    schedule = Schedule((0, 0, 1, 1, 0, 2), (3, 3, 3, 3, 2, 1), preempted=(2,))
    assert points_of(schedule) == Points((0, 1, 2), (Switch(0, 2, 1),))


def test_a_handover_is_told_where_another_than_the_first_takes_over():
    schedule = Schedule((0, 1, 2, 0), (3, 3, 2, 1), preempted=(1,))
    assert points_of(schedule).handovers == (Switch(1, 1, 2),)


def test_choices_leave_out_the_steps_that_nobody_chose():
    draw = Choice("deadline", 1, 2, 2)
    schedule = Schedule((0, 0, 1), (1, 2, 2), (2,), (draw,))
    worker = [Choice("worker", 0, 2, 1), Choice("worker", 1, 2, 2)]
    assert list(schedule.choices) == [worker[0], draw, worker[1]]


def test_lengths_keep_the_longest():
    lengths = Lengths().including(Schedule((0, 0, 1), (2, 2, 1)))
    lengths = lengths.including(Schedule((1, 1, 2), (2, 2, 1)))
    assert lengths == Lengths(3, (2, 2, 1))
    assert lengths.workers == 3


def test_a_schedule_whose_parts_do_not_fit_is_refused():
    with pytest.raises(ValueError, match="1 steps but counts of ready workers for 2"):
        Schedule.from_json({"steps": [[0, 1]], "ready": [[1, 2]], "preempted": [], "draws": []})


@UNHURRIED
@given(MODELS, st.integers(0, 10**6))
def test_a_replay_gives_the_same_execution(model, seed):
    recorded = walked(model, seed)
    strategy = Replay(recorded.schedule)
    replayed = execute(model, strategy.begin(0, 1, Lengths()))
    strategy.ended(replayed.schedule)
    assert replayed == recorded


def test_a_replay_says_where_another_worker_would_have_to_go_on():
    strategy = Replay(Schedule((0, 2, 1), (2, 2, 2)))
    with pytest.raises(DivergedError, match=r"at step 1: worker 2 of 2 .* 0, 1 are ready here"):
        execute(lost_update(2), strategy.begin(0, 1, Lengths()))


def test_a_replay_says_where_the_execution_goes_on():
    strategy = Replay(Schedule((0, 0), (2, 2)))
    with pytest.raises(DivergedError, match="at step 2: the recorded execution ended after 2"):
        execute(lost_update(2), strategy.begin(0, 1, Lengths()))


def test_a_replay_says_where_the_execution_ended_too_early():
    recorded = walked(lost_update(2), 3).schedule
    strategy = Replay(recorded)
    short = Schedule(recorded.steps[:4], recorded.ready[:4], ())
    with pytest.raises(DivergedError) as caught:
        strategy.ended(short)
    assert caught.value.step == first_difference(recorded, short)


def test_a_replay_refuses_another_draw():
    draw = Choice("cancel", 1, 2, 0)
    chooser = Replay(Schedule((), (), (), (draw,))).begin(0, 1, Lengths())
    with pytest.raises(DivergedError, match=r"drawn was .*cancel.* would be .*deadline"):
        chooser.draw("deadline", 2)
