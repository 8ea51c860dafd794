"""Strategies choose among those that are ready, the same each time, and find what they are for."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import chain, execute, lost_update, order, program, search

from ctxsim.cell.schedule.choices import Lengths, first_difference
from ctxsim.cell.schedule.choosing import Recorder
from ctxsim.cell.schedule.points import Points, Switch, points_of
from ctxsim.cell.schedule.strategies import STRATEGIES, strategy
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.strategies.exhaustive import Exhaustive, spread
from ctxsim.cell.schedule.strategies.pct import Pct
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.strategies.sticky import Sticky
from ctxsim.errors import DivergedError

NAMES = sorted(STRATEGIES)
WORDS = st.sampled_from(
    ["step", "step", "set a", "wait a", "set b", "wait b", "cancel 2", "deadline 3", "number 9"]
)
PROGRAMS = st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=4).map(program)
TINY = st.lists(st.lists(WORDS, max_size=2), min_size=1, max_size=3).map(program)
SEEDS = st.integers(0, 2**32)
# Whole searches, which a busy machine takes its time for.
UNHURRIED = settings(deadline=None, max_examples=50)


class Scripted:
    """Takes alternatives by their indices, then the first of each; counts how many there were."""

    def __init__(self, script):
        self.script = script
        self.counts = []

    def pick(self, ready, current, step):
        return ready[self._taken(len(ready))]

    def draw(self, kind, alternatives):
        return 0 if kind == "number" else self._taken(alternatives)

    def _taken(self, count):
        at = len(self.counts)
        self.counts.append(count)
        return self.script[at] if at < len(self.script) else 0


def every_schedule(model):
    """All there are, by trying each alternative of each choice."""
    scripts, found = [()], []
    while scripts:
        script = scripts.pop()
        chooser = Scripted(script)
        found.append(execute(model, chooser).schedule)
        for at in range(len(script), len(chooser.counts)):
            padded = (*script, *[0] * (at - len(script)))
            scripts += [(*padded, other) for other in range(1, chooser.counts[at])]
    return found


def cost(schedule):
    drawn = [each for each in schedule.draws if each.taken and each.kind != "number"]
    return len(schedule.preempted) + len(drawn)


def told(schedule):
    """Without numbers, which enumeration leaves alone."""
    draws = [(each.kind, each.taken) for each in schedule.draws if each.kind != "number"]
    return schedule.steps, schedule.ready, tuple(draws)


def executions(model, chosen, seed, count):
    measured, made = Lengths(), []
    for number in range(count):
        if chosen.exhausted:
            break
        execution = execute(model, chosen.begin(number, seed, measured))
        chosen.ended(execution.schedule)
        measured = measured.including(execution.schedule)
        made.append(execution)
    return made


class Watching:
    """Asks another chooser, and holds what it says against who is ready."""

    def __init__(self, chooser):
        self.chooser = chooser

    def pick(self, ready, current, step):
        taken = self.chooser.pick(ready, current, step)
        assert taken in ready
        return taken

    def draw(self, kind, alternatives):
        taken = self.chooser.draw(kind, alternatives)
        assert 0 <= taken < alternatives
        return taken


@pytest.mark.parametrize("name", NAMES)
@UNHURRIED
@given(model=PROGRAMS, seed=SEEDS, steps=st.integers(0, 20), counts=st.lists(st.integers(0, 9)))
def test_only_those_that_are_ready_are_picked(name, model, seed, steps, counts):
    """Whatever was measured before, be it of other executions."""
    chosen = strategy(name)
    measured = Lengths(steps, tuple(counts))
    for number in range(3):
        if not chosen.exhausted:
            execution = execute(model, Watching(chosen.begin(number, seed, measured)))
            chosen.ended(execution.schedule)


@pytest.mark.parametrize("name", NAMES)
@UNHURRIED
@given(model=PROGRAMS, seed=SEEDS)
def test_the_same_seed_gives_the_same_executions(name, model, seed):
    first = executions(model, strategy(name), seed, 6)
    assert executions(model, strategy(name), seed, 6) == first


@pytest.mark.parametrize("name", NAMES)
@UNHURRIED
@given(model=PROGRAMS, seed=SEEDS)
def test_every_execution_can_be_replayed(name, model, seed):
    """To the letter, and by its switches alone."""
    for made in executions(model, strategy(name), seed, 4):
        replay = Replay(made.schedule)
        assert execute(model, replay.begin(0, 0, Lengths())) == made
        by_points = ByPoints(points_of(made.schedule)).begin(0, 0, Lengths())
        assert execute(model, by_points) == made


PINNED = {
    "auto": ["110100111000", "011111100000"],
    "exhaustive": ["000001111110", "111000000111"],
    "pct": ["000000111111", "111111000000"],
    "random": ["110110001010", "011110011000"],
    "sticky": ["111111000000", "000000111111"],
    "uniform": ["110100111000", "011100111000"],
}


@pytest.mark.parametrize("name", NAMES)
def test_choices_are_the_same_on_every_python(name):
    """Written down once; a failing schedule is replayed by its seed on other versions."""
    made = executions(lost_update(2), strategy(name), 7, 6)
    steps = ["".join(map(str, each.schedule.steps)) for each in made]
    assert steps[-2:] == PINNED[name]


def test_a_seed_and_a_number_give_a_chooser_of_their_own():
    walk = strategy("random")
    made = [
        execute(lost_update(9), walk.begin(number, seed, Lengths())).schedule
        for number in range(4)
        for seed in range(4)
    ]
    assert len(set(made)) == len(made)


def test_a_uniform_walk_makes_each_interleaving_as_likely_as_any_other():
    """Of 4 steps and 2 there are 15; a random walk gives some of them ten times as often."""
    model = program([["step"] * 3, ["step"]])
    made = executions(model, strategy("uniform"), 5, 3000)
    counts = Counter(each.schedule.steps for each in made)
    assert len(counts) == 15
    assert max(counts.values()) < 1.5 * min(counts.values())


def test_priorities_alone_never_preempt():
    """A depth of 1 has no change points."""
    made = executions(chain(), Pct(depth=1), 3, 20)
    assert not any(each.schedule.preempted for each in made)
    assert len({each.schedule.steps for each in made}) > 10


def test_each_change_of_priority_preempts_at_most_once():
    made = executions(chain(), Pct(depth=3), 3, 50)
    assert {len(each.schedule.preempted) for each in made} == {0, 1, 2}


def test_pct_finds_a_bug_of_depth_two_as_often_as_its_bound_says():
    """1 / (n * k), of which the bound is a floor."""
    model = lost_update(5)
    made = executions(model, Pct(depth=2), 11, 1500)
    steps = len(made[0].schedule.steps)
    assert sum(each.failed for each in made) > len(made) / (2 * steps)


def test_sticky_stays_as_often_as_it_is_told():
    made = executions(program([["step"] * 50] * 2), Sticky(stay=0.8), 3, 40)
    both = sum(ready > 1 for each in made for ready in each.schedule.ready)
    switches = sum(len(each.schedule.preempted) for each in made)
    # Where it does not stay, one in two draws is the current worker all the same.
    assert switches / both == pytest.approx(0.1, abs=0.02)


@given(st.integers(0, 300))
def test_spread_gives_each_number_once(count):
    assert sorted(spread(count)) == list(range(count))


def test_spread_begins_with_the_halves():
    assert list(spread(8)) == [0, 4, 2, 6, 1, 3, 5, 7]


@UNHURRIED
@given(model=TINY, bound=st.integers(0, 3), seed=SEEDS)
def test_exhaustive_sees_each_schedule_within_its_bound_once(model, bound, seed):
    chosen = Exhaustive(bound)
    made = [each.schedule for each in executions(model, chosen, seed, 5000)]
    every = {told(each): cost(each) for each in every_schedule(model)}
    assert chosen.exhausted
    assert sorted(map(told, made)) == sorted(
        each for each, spent in every.items() if spent <= bound
    )
    assert chosen.pruned == any(spent > bound for spent in every.values())


@UNHURRIED
@given(model=TINY, seed=SEEDS)
def test_exhaustive_tries_cheap_schedules_first(model, seed):
    made = [cost(each.schedule) for each in executions(model, Exhaustive(2), seed, 5000)]
    assert made == sorted(made)


def test_exhaustive_refuses_to_begin_when_all_was_seen():
    chosen = Exhaustive(1)
    executions(order(2), chosen, 1, 1000)
    with pytest.raises(ValueError, match="all schedules were seen"):
        chosen.begin(0, 1, Lengths())


def test_exhaustive_says_where_an_application_goes_another_way_than_before():
    chosen = Exhaustive(1)
    execution = execute(program([["step"]] * 3), chosen.begin(0, 1, Lengths()))
    chosen.ended(execution.schedule)
    with pytest.raises(DivergedError, match="was ready here before"):
        [execute(program([["step"]]), chosen.begin(n, 1, Lengths())) for n in range(1, 3)]


def test_auto_is_exhausted_where_there_is_nothing_to_choose():
    assert len(executions(program([["step"] * 3]), strategy("auto"), 1, 100)) == 1


def test_auto_begins_with_all_orders_where_these_are_few():
    made = executions(program([["step"] * 2] * 3), strategy("auto"), 1, 6)
    assert len({each.schedule.steps for each in made}) == 6
    assert not any(each.schedule.preempted for each in made)


def test_auto_goes_on_beyond_one_preemption():
    assert len(executions(lost_update(2), strategy("auto"), 1, 200)) == 200


def test_switches_that_do_not_fit_are_passed_over():
    points = Points((1, 0), (Switch(1, 1, 7), Switch(9, 1, 0), Switch(0, 1, 1)))
    chooser = Recorder(ByPoints(points).begin(0, 0, Lengths()))
    execution = execute(program([["step"] * 2, ["step"]]), chooser)
    assert execution.schedule.steps == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (lost_update(10), ["random", "uniform", "pct", "sticky", "exhaustive", "auto"]),
        (order(), ["pct", "sticky", "exhaustive", "auto"]),
        (chain(), ["random", "uniform", "auto"]),
    ],
    ids=["atomicity", "order", "chain"],
)
def test_the_strategies_find_what_they_are_for(model, names):
    for name in names:
        found = [search(model, strategy(name), seed, 2000) for seed in range(5)]
        assert None not in found, name


def test_first_difference_is_the_step_at_which_two_executions_part():
    one, other = (
        execute(lost_update(3), strategy("random").begin(n, 1, Lengths())) for n in (0, 1)
    )
    at = first_difference(one.schedule, other.schedule)
    assert one.schedule.steps[:at] == other.schedule.steps[:at]
    assert at is not None
    assert first_difference(one.schedule, one.schedule) is None
