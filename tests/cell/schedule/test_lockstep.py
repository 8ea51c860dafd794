"""Unmodified code is interleaved in one thread as a schedule says, and the same each time."""
# ruff: noqa: TID251 - a worker sleeps in no real time

from __future__ import annotations

import importlib
import sys
import threading
import time

import greenlet
import pytest
import racy
from races import CLEAN, LINES, OPCODES, RACES, counted_wrong, fresh
from searching import Trial

from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.execution import Deadlock, Ended, Limits, StepLimit
from ctxsim.cell.schedule.lockstep import CutOff, Lockstep, here
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.shrink import shrink
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.tracing import tracing
from ctxsim.cell.schedule.watchdog import Watchdog
from ctxsim.errors import DivergedError
from ctxsim.switchpoint import pause

OWN_LINES = Selection(frozenset({__file__}))


def chooser(number=0, name="random"):
    return strategy(name).begin(number, 1, Lengths())


@pytest.fixture
def lockstep():
    with StandIns(), tracing(LINES) as tracer:
        yield Lockstep(tracer)


@pytest.mark.parametrize("race", RACES)
def test_races_in_unmodified_code_are_found_in_few_executions_and_replayed(race, lockstep):
    trial = Trial(lockstep, *RACES[race])
    execution, number = trial.first(100)
    assert number <= 50
    assert execution.stopped is None
    replays = [trial.replay(execution.schedule) for _ in range(100)]
    assert all(shows for _, shows in replays)
    assert {each.trails for each, _ in replays} == {execution.trails}


@pytest.mark.parametrize("race", CLEAN)
def test_what_a_lock_guards_is_clean(race, lockstep):
    found = list(Trial(lockstep, *CLEAN[race]).executions(200))
    assert len({execution.schedule for execution, _ in found}) > 10
    assert not any(shows for _, shows in found)
    assert not any(execution.stopped for execution, _ in found)


def test_one_line_is_split_by_opcodes_alone():
    race = fresh(racy.count_on_one_line, racy.count_on_one_line), counted_wrong(2)
    with tracing(LINES) as tracer:
        assert Trial(Lockstep(tracer), *race).first(100) is None
    with tracing(OPCODES) as tracer:
        trial = Trial(Lockstep(tracer), *race)
        execution, _ = trial.first(100)
        assert all(trial.replay(execution.schedule)[1] for _ in range(100))


def test_eight_requests_shrink_to_two_with_one_preemption_at_a_line_that_is_told(lockstep):
    trial = Trial(lockstep, fresh(*[racy.count] * 8), counted_wrong(8))
    execution, _ = trial.first(20, "random")

    def remains(candidate):
        left = Trial(lockstep, trial.calls, counted_wrong(len(candidate.requests)))
        return left.remains(candidate)

    shrunk = shrink(execution.schedule, (1,) * 8, remains)
    assert len(shrunk.candidate.requests) == 2
    (switch,) = shrunk.candidate.points.preemptions
    window = shrunk.windows[0]
    assert (window.first, window.last) == (2, 3)
    site = execution.site(switch)
    assert site == Site(racy.__file__, site.line, "count", 1)


def test_each_switch_tells_its_site_and_which_visit_it_was():
    def loop():
        for _ in range(3):
            seen.add(here().current.number)

    seen = set()
    with tracing(OWN_LINES) as tracer:
        execution = Lockstep(tracer).run([loop, loop], chooser(2))
    switches = execution.points.preemptions
    assert switches
    assert all(each.site.file == __file__ for each in switches)
    assert {each.site.function.rpartition(".")[2] for each in switches} == {"loop"}
    assert {each.site.visit for each in switches} > {1}
    assert [each.site for each in switches] == list(map(execution.site, switches))


def test_a_worker_tells_what_it_returned_or_raised():
    def fail():
        raise LookupError("no such cart")

    execution = Lockstep().run([lambda: 7, fail], chooser())
    returned, raised = execution.workers
    assert returned == Ended(7)
    assert str(raised.error) == "no such cart"
    assert execution.steps == (1, 1)


def test_a_worker_that_saw_no_switch_point_is_told():
    """Otherwise what was not selected would look clean."""
    with tracing(LINES) as tracer:
        execution = Lockstep(tracer).run([racy.count, lambda: None], chooser())
    assert execution.unseen == (1,)


def test_a_livelock_ends_at_the_step_limit_and_tells_where(lockstep):
    def spin():
        while True:
            racy.count()

    execution = Lockstep(lockstep._tracer, Limits(steps=300)).run([spin, spin], chooser())
    assert isinstance(execution.stopped, StepLimit)
    assert execution.stopped.steps == 300
    assert {site.function for site in execution.stopped.last} == {"count"}
    assert all(ended.cut_off for ended in execution.workers)
    assert sum(execution.steps) == 300


def test_workers_that_are_cut_off_clean_up_without_switching_again(lockstep):
    cleaned = []

    def stubborn(number):
        try:
            while True:
                try:
                    racy.count()
                except Exception as error:  # noqa: BLE001 - applications do so
                    cleaned.append(error)
        finally:
            racy.count()
            racy.count()
            cleaned.append(number)

    calls = [lambda: stubborn(0), lambda: stubborn(1)]
    Lockstep(lockstep._tracer, Limits(steps=50)).run(calls, chooser())
    assert cleaned == [0, 1]


def test_a_worker_that_does_not_let_itself_be_cut_off_is_told_again():
    """By the watchdog: on 3.11 an error that passes a trace function ends the tracing."""

    def immortal():
        while True:
            try:
                racy.count()
            except CutOff:
                told.append(1)
                if len(told) > 3:
                    raise

    told = []
    with tracing(LINES) as tracer, Watchdog(0.1):
        Lockstep(tracer, Limits(steps=10)).run([immortal], chooser())
    # Where it stands when it is told, nobody knows: perhaps where it lets itself be cut off.
    assert told


def test_a_replay_that_diverges_raises_when_all_workers_are_cut_off(lockstep):
    cleaned = []

    def counted():
        try:
            racy.count()
        finally:
            cleaned.append(1)

    replay = Replay(Schedule((0, 0), (2, 2)))
    with pytest.raises(DivergedError, match="at step 2"):
        lockstep.run([counted, counted], replay.begin(0, 0, Lengths()))
    assert cleaned == [1]
    assert here() is None


def test_application_code_may_use_greenlets_of_its_own():
    """The greenlet that was current has to go on, not the worker's first one."""

    def nested():
        inner = greenlet.greenlet(within)
        value = inner.switch("a")
        return value + inner.switch("b")

    def within(first):
        got = first
        second = greenlet.getcurrent().parent.switch(got)
        got = got + second
        return got

    with tracing(OWN_LINES) as tracer:
        lockstep = Lockstep(tracer)
        executions = [lockstep.run([nested, nested], chooser(number)) for number in range(50)]
    assert {ended.value for each in executions for ended in each.workers} == {"aab"}
    assert {each.steps for each in executions} == {executions[0].steps}
    assert len({each.schedule for each in executions}) > 20
    functions = {code.co_name for code, _ in executions[0].trails[0]}
    assert functions == {"nested", "within"}


def test_who_is_cut_off_may_sleep_and_lock_while_it_cleans_up(lockstep):
    lock, cleaned = threading.Lock(), []

    def wait():
        try:
            threading.Event().wait()
        finally:
            time.sleep(5)
            with lock:
                cleaned.append(len(cleaned))

    execution = lockstep.run([wait, wait], chooser())
    assert isinstance(execution.stopped, Deadlock)
    assert cleaned == [0, 1]


def test_an_interrupt_is_not_taken_for_an_error_of_the_worker_that_runs(lockstep):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lockstep.run([racy.count, interrupted], chooser())
    assert here() is None


def test_a_module_that_two_workers_import_is_imported_once(lockstep, tmp_path, monkeypatch):
    """The import system's locks are stand-ins too, so that who comes second waits."""
    file = tmp_path / "lazily_imported.py"
    file.write_text("made = []\nmade.append(1)\nmade.append(2)\nready = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def load():
        module = importlib.import_module("lazily_imported")
        return module.made, module.ready

    with tracing(Selection(frozenset({str(file)}))) as tracer:
        for number in range(20):
            sys.modules.pop("lazily_imported", None)
            execution = Lockstep(tracer).run([load, load], chooser(number))
            assert execution.stopped is None
            assert [ended.value for ended in execution.workers] == [([1, 2], True)] * 2
    del sys.modules["lazily_imported"]


def test_who_pauses_stands_at_the_application_s_own_line():
    def pauses():
        pause(1)
        pause()

    with StandIns():
        execution = Lockstep().run([pauses, pauses], chooser())
    first = pauses.__code__.co_firstlineno
    for trail in execution.trails:
        assert [(code.co_filename, line) for code, line in trail] == [
            (__file__, first + 1),
            (__file__, first + 2),
        ]


def test_a_request_may_come_after_others_have_slept():
    """Nobody else is ready while it sleeps, but requests come at any time."""
    said = []

    def first():
        time.sleep(1)
        said.append("slept")
        time.sleep(1)
        said.append("ended")

    def second():
        said.append("came")

    seen = set()
    with StandIns(), tracing(OWN_LINES) as tracer:
        lockstep = Lockstep(tracer)
        for number in range(50):
            said.clear()
            schedule = lockstep.run([first, second], chooser(number)).schedule
            seen.add(tuple(said))
            if said == ["slept", "came", "ended"]:
                break
        said.clear()
        lockstep.run([first, second], Replay(schedule).begin(0, 1, Lengths()))
    assert ("slept", "came", "ended") in seen
    assert said == ["slept", "came", "ended"]
