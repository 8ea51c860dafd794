"""Greenlets are kept from one execution to the next, and nobody can tell."""

from __future__ import annotations

import contextvars
import gc
import weakref

import greenlet
import pytest

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.lockstep import CutOff, Lockstep
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.standins.clocks import sleep
from ctxsim.cell.schedule.strategies import strategy

WORKERS = 3
visited = contextvars.ContextVar("visited", default=False)


def run(lockstep, call):
    return lockstep.run([call] * WORKERS, strategy("random").begin(0, 1, Lengths()))


def waiting():
    kept = [each for each in gc.get_objects() if type(each) is greenlet.greenlet]
    return [each for each in kept if each and each.parent is not None]


def give_way():
    sleep(0)


def test_they_are_kept_until_the_lockstep_is_left():
    with StandIns(), Lockstep() as lockstep:
        before = waiting()
        for _ in range(3):
            run(lockstep, give_way)
            assert len(waiting()) == len(before) + WORKERS
    assert len(waiting()) == len(before)


def test_they_end_with_each_execution_of_a_lockstep_that_is_not_entered():
    before = len(waiting())
    with StandIns():
        run(Lockstep(), give_way)
        assert len(waiting()) == before


@pytest.mark.parametrize("known", [lambda each: lambda: each, weakref.ref], ids=["held", "weakly"])
def test_one_that_the_application_knows_carries_nobody_else(known):
    knows, is_known = [], []

    def remember():
        each = greenlet.getcurrent()
        is_known.append(any(known() is each for known in knows))
        knows.append(known(each))
        give_way()

    with StandIns(), Lockstep() as lockstep:
        for _ in range(3):
            run(lockstep, remember)
            assert not waiting()
    assert is_known == [False] * WORKERS * 3


def test_the_next_worker_has_no_values_of_the_one_before():
    found = []

    def visit():
        found.append((visited.get(), dict(vars(greenlet.getcurrent()))))
        visited.set(True)
        greenlet.getcurrent().visited = True
        give_way()

    with StandIns(), Lockstep() as lockstep:
        for _ in range(3):
            run(lockstep, visit)
        assert len(waiting()) == WORKERS
    assert found == [(False, {})] * WORKERS * 3


class Stopping:
    """Ends an execution at its third step."""

    def pick(self, ready, current, step):
        if step == 2:
            raise ValueError("enough")
        return ready[0]


def test_one_whose_worker_was_cut_off_is_not_kept():
    ends = []

    def never_end():
        try:
            while True:
                give_way()
        except CutOff:
            ends.append("cut off")
            raise

    with StandIns(), Lockstep() as lockstep:
        with pytest.raises(ValueError, match="enough"):
            lockstep.run([never_end] * WORKERS, Stopping())
        assert not waiting()
    assert ends == ["cut off"]


def test_one_that_the_application_switches_to_later_is_at_its_end():
    knows, switched = [], []

    def remember():
        knows.append(greenlet.getcurrent())

    def switch_back():
        give_way()
        switched.append(knows[0].dead)

    with StandIns(), Lockstep() as lockstep:
        run(lockstep, remember)
        run(lockstep, switch_back)
    assert switched == [True] * WORKERS
