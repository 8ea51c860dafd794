"""A schedule that shows a bug becomes the smallest one that still does, with room told."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import chain, execute, lost_update, one_current, program

from ctxsim.cell.schedule.choices import Choice, Lengths, Schedule, of_workers
from ctxsim.cell.schedule.minimal import fewest, find_most
from ctxsim.cell.schedule.points import Points, Switch, points_of, renumbered, steps_of
from ctxsim.cell.schedule.shrink import Window, shrink
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.by_points import ByPoints

# A busy machine takes its time.
UNHURRIED = settings(deadline=None, max_examples=50)
MODELS = st.one_of(
    st.builds(one_current, st.integers(2, 6), st.integers(1, 4)),
    st.builds(lost_update, st.integers(0, 5)),
    st.just(chain()),
)


def shows(model):
    """The model's workers for the requests that are kept, switched as told, where the bug shows."""
    return in_workers([(each,) for each in model])


def in_workers(carried):
    """The same where each worker carries several requests, one after the other."""
    carriers = [number for number, each in enumerate(carried) for _ in each]
    steps = [step for each in carried for step in each]

    def remains(candidate):
        left = {}
        for request in candidate.requests:
            left.setdefault(carriers[request], []).append(steps[request])
        workers = [one_after_the_other(each) for each in left.values()]
        execution = execute(workers, ByPoints(candidate.points).begin(0, 0, Lengths()))
        return execution.schedule if execution.failed else None

    return remains


def one_after_the_other(requests):
    def worker(shared, chooser):
        for each in requests:
            yield from each(shared, chooser)

    return worker


def of_one_each(model):
    return (1,) * len(model)


def first_failing(model, seed, name="random"):
    chosen = strategy(name)
    for number in range(5000):
        execution = execute(model, chosen.begin(number, seed, Lengths()))
        if execution.failed:
            return execution.schedule
    raise AssertionError("the bug did not show")


def smaller(shrunk):
    """What could still be taken away, or be moved by one step."""
    candidate, points = shrunk.candidate, shrunk.candidate.points
    for at in range(len(candidate.requests)):
        kept = [place for place in range(len(candidate.requests)) if place != at]
        requests = tuple(candidate.requests[place] for place in kept)
        yield replace(candidate, requests=requests, points=renumbered(points, kept))
    for at, switch in enumerate(points.preemptions):
        others = points.preemptions[:at] + points.preemptions[at + 1 :]
        yield replace(candidate, points=replace(points, preemptions=others))
        later = replace(switch, step=switch.step + 1)
        if later.key not in {each.key for each in points.switches}:
            moved = replace(points, preemptions=(*others, later))
            yield replace(candidate, points=moved)


@UNHURRIED
@given(MODELS, st.integers(0, 1000))
def test_what_is_left_shows_the_bug_and_nothing_less_does(model, seed):
    remains = shows(model)
    shrunk = shrink(first_failing(model, seed), of_one_each(model), remains)
    assert shrunk.complete
    assert remains(shrunk.candidate)
    assert not [each for each in smaller(shrunk) if each.requests and remains(each)]


@UNHURRIED
@given(MODELS, st.integers(0, 1000), st.integers(1, 30))
def test_the_bug_is_not_lost_where_executions_run_out(model, seed, most):
    remains = shows(model)
    shrunk = shrink(first_failing(model, seed), of_one_each(model), remains, most)
    assert shrunk.executions <= most
    assert remains(shrunk.candidate)
    assert shrunk.complete or shrunk.executions == most


@UNHURRIED
@given(MODELS, st.integers(0, 1000))
def test_the_bug_shows_at_every_step_of_a_window_and_at_none_beside_it(model, seed):
    remains = shows(model)
    shrunk = shrink(first_failing(model, seed), of_one_each(model), remains)
    points = shrunk.candidate.points
    for at, window in enumerate(shrunk.windows):
        assert window.whole
        for step in range(window.first - 1, window.last + 2):
            moved = replace(points.preemptions[at], step=step)
            switches = (*points.preemptions[:at], moved, *points.preemptions[at + 1 :])
            candidate = replace(shrunk.candidate, points=replace(points, preemptions=switches))
            is_free = len({each.key for each in switches}) == len(switches)
            if is_free and step > 0:
                is_shown = remains(candidate) is not None
                assert is_shown == (window.first <= step <= window.last)


def test_eight_requests_become_two_with_one_preemption():
    """The figures of the story: a write, a switch as late as can be, a read."""
    model = one_current(8)
    schedule = first_failing(model, 1)
    shrunk = shrink(schedule, of_one_each(model), shows(model))
    switch = Switch(0, 6, 1)
    assert len(points_of(schedule).preemptions) > 30
    assert len(shrunk.candidate.requests) == 2
    assert shrunk.candidate.points == Points((0, 1), (switch,))
    assert shrunk.windows == (Window(switch, first=4, last=6, whole=True),)
    assert shrunk.executions < 100


def test_a_worker_that_has_ended_needs_no_preemption():
    """Of three parties the first alone has to be stopped, whatever the search did."""
    for noise in range(5):
        model = chain(noise)
        shrunk = shrink(first_failing(model, noise), of_one_each(model), shows(model))
        assert shrunk.candidate.requests == (0, 1, 2)
        assert shrunk.candidate.points.preemptions == (Switch(0, 4, 1),)
        assert shrunk.candidate.points.handovers == (Switch(1, 7, 2),)


def test_a_worker_that_went_on_in_between_for_no_reason_is_stopped_once():
    """Two others follow each other; the one that they have to come after need not go on between."""

    def first(shared, _):
        shared["seen"] = 0
        yield
        yield
        shared["bug"] = shared["seen"] == 2

    def follows(after):
        def worker(shared, _):
            yield
            if shared.get("seen") == after:
                shared["seen"] += 1

        return worker

    model = [first, follows(0), follows(1)]
    stopped_twice = Points((0, 1, 2), (Switch(0, 1, 1), Switch(0, 2, 2)))
    schedule = execute(model, ByPoints(stopped_twice).begin(0, 0, Lengths())).schedule
    assert points_of(schedule) == stopped_twice
    shrunk = shrink(schedule, of_one_each(model), shows(model))
    assert shrunk.candidate.points.preemptions == (Switch(0, 2, 1),)
    assert shrunk.candidate.points.handovers == (Switch(1, 2, 2),)


def test_a_handover_is_kept_where_the_bug_needs_it():
    """Three wait for the first to end; the bug shows where the last of them goes before another."""
    model = program([["set a"], ["wait a", "set b"], ["wait a", "step"], ["wait a", "set c"]])

    def remains(candidate):
        chooser = ByPoints(candidate.points).begin(0, 0, Lengths())
        kept = [model[request] for request in candidate.requests]
        execution = execute(kept, chooser)
        keys = list(execution.shared)
        is_shown = "b" in keys and "c" in keys and keys.index("c") < keys.index("b")
        return execution.schedule if is_shown else None

    for seed in range(50):
        schedule = execute(model, strategy("random").begin(seed, 1, Lengths())).schedule
        if remains_whole(schedule, remains):
            shrunk = shrink(schedule, of_one_each(model), remains)
            assert len(shrunk.candidate.requests) == 3
            assert not shrunk.candidate.points.preemptions
            return
    raise AssertionError("the bug did not show")


def remains_whole(schedule, remains):
    try:
        shrink(schedule, (1, 1, 1, 1), remains, most_executions=1)
    except ValueError:
        return False
    return True


def test_draws_become_the_first_alternative_where_the_bug_allows():
    draws = tuple(Choice("deadline", taken, 3, 0) for taken in (2, 1, 2, 1))

    schedule = Schedule((0,), (1,), (), draws)

    def remains(candidate):
        is_shown = [each.taken for each in candidate.points.draws][2:3] == [2]
        return replace(schedule, draws=candidate.points.draws) if is_shown else None

    shrunk = shrink(schedule, (1,), remains)
    assert [each.taken for each in shrunk.candidate.points.draws] == [0, 0, 2]


@UNHURRIED
@given(
    st.lists(st.integers(1, 3), min_size=2, max_size=5),
    st.integers(1, 3),
    st.integers(0, 1000),
)
def test_of_workers_that_carry_several_two_are_left_with_one_preemption(counts, length, seed):
    """Two of all their requests meet; whoever carries nothing any more is gone."""
    requests = iter(one_current(sum(counts), length))
    carried = [tuple(next(requests) for _ in range(count)) for count in counts]
    remains = in_workers(carried)
    schedule = first_failing(list(map(one_after_the_other, carried)), seed)
    shrunk = shrink(schedule, counts, remains)
    assert shrunk.complete
    assert remains(shrunk.candidate)
    assert len(shrunk.candidate.points.order) == 2
    assert len(shrunk.candidate.points.preemptions) == 1


def test_workers_that_requests_started_follow_those_that_are_left():
    """Three workers have two requests each; the fourth one was started, nobody knows by which."""
    whole = Schedule((0, 1, 2, 3, 2), (4, 4, 3, 2, 1), (1, 3))

    def remains(candidate):
        if 4 not in candidate.requests or not candidate.points.preemptions:
            return None
        left = {request // 2 for request in candidate.requests}
        return of_workers(whole, (*sorted(left), 3))

    shrunk = shrink(whole, (2, 2, 2), remains)
    assert shrunk.candidate.requests == (4,)
    assert shrunk.candidate.points.preemptions == (Switch(0, 2, 1),)


def test_the_steps_of_a_request_go_with_it_where_its_worker_carries_another_one():
    """A worker's second request is stopped in its second step, however long the first one was."""
    carried = ([2, 3, 2], [3])
    lengths = [each for worker in carried for each in worker]

    def begins(candidate):
        left = [lengths[each] for each in candidate.requests if each < 3]
        return (tuple(sum(left[:at]) for at in range(len(left))), (0,))

    def remains(candidate):
        if 1 not in candidate.requests or 3 not in candidate.requests:
            return None
        left = [each for each in candidate.requests if each < 3]
        steps = [each for each in left for _ in range(lengths[each])] + [left[-1]]
        [switch] = candidate.points.preemptions or [None]
        # In its first step a worker ends what it carried before.
        if switch is None or steps[switch.step - 1 : switch.step + 1] != [1, 1]:
            return None
        first = (0,) * switch.step
        last = (0,) * (len(steps) - switch.step)
        whole = (*first, 1, 1, 1, *last)
        return Schedule(whole, (2,) * len(whole), (switch.step,))

    whole = Schedule((0,) * 4 + (1,) * 3 + (0,) * 4, (2,) * 11, (4,))
    shrunk = shrink(whole, (3, 1), remains, begins=begins)
    assert shrunk.candidate.requests == (1, 3)


def test_what_does_not_show_the_finding_cannot_be_shrunk():
    with pytest.raises(ValueError, match="the finding does not show"):
        shrink(Schedule((0,), (1,)), (1,), lambda _: None)


def test_workers_that_are_left_out_leave_the_order_of_the_others():
    """The preempted stay so; those that went on after a worker that is gone go on at once."""
    schedule = Schedule((0, 0, 2, 1, 0, 1), (3, 3, 3, 3, 2, 1), (2, 3, 4))
    left = of_workers(schedule, (0, 1))
    assert left.steps == (0, 0, 1, 0, 1)
    assert left.preempted == (2, 3)
    assert steps_of(points_of(left), (3, 2)) == left.steps


@given(st.sets(st.integers(0, 30)), st.integers(0, 40))
def test_fewest_leaves_what_is_needed(needed, count):
    items = tuple(range(count))
    needed = {each for each in needed if each < count}
    assert fewest(items, lambda kept: needed <= set(kept)) == tuple(sorted(needed))


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_greatest_number_takes_few_questions(most, true_up_to):
    asked = []

    def holds(number):
        asked.append(number)
        return number <= true_up_to

    assert find_most(most, holds) == min(most, true_up_to)
    assert len(asked) <= 20
    assert all(0 < number <= most for number in asked)


def test_steps_that_are_left_out_are_gone_from_those_of_their_worker():
    schedule = Schedule((0, 1, 0, 1, 0, 1), (2, 2, 2, 2, 2, 1), (1, 2, 3, 4))
    left = of_workers(schedule, (0, 1), {0: {1, 2}})
    assert left.steps == (1, 1, 0, 1)
    assert left.preempted == (2,)
