"""gevent's own primitives, unmodified: who goes on is chosen, and the time is virtual."""
# ruff: noqa: TID251 - the clocks are those of an execution

from __future__ import annotations

import time

import gevent
import pytest
from gevent import pool, queue
from greenlets_of import add, add_guarded, chooser, fresh, on_hub, said, together
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from searching import Trial

from ctxsim.cell.schedule.execution import Deadlock, Ended
from ctxsim.cell.schedule.shrink import shrink


@pytest.fixture
def lockstep():
    with on_hub() as lockstep:
        yield lockstep


def test_an_update_that_is_lost_across_a_sleep_is_found_and_replayed(lockstep):
    trial = Trial(lockstep, fresh(add, add, add), lambda _: fresh.shared.count != 3)
    execution, number = trial.first(50)
    assert number <= 50
    replays = [trial.replay(execution.schedule) for _ in range(100)]
    assert all(shows for _, shows in replays)
    assert {each.trails for each, _ in replays} == {execution.trails}
    assert {code.co_name for trail in execution.trails for code, _ in trail} == {"add"}


def test_what_a_semaphore_guards_is_never_lost(lockstep):
    trial = Trial(lockstep, fresh(*[add_guarded] * 3), lambda _: fresh.shared.count != 3)
    found = list(trial.executions(200))
    assert len({execution.schedule for execution, _ in found}) > 10
    assert not any(shows for _, shows in found)
    assert not any(execution.stopped for execution, _ in found)


def test_six_requests_shrink_to_two_with_one_switch_at_a_line_that_is_told(lockstep):
    workers = [add] * 6
    trial = Trial(lockstep, fresh(*workers), lambda _: fresh.shared.count != 6)
    execution, _ = trial.first(50, "random")

    def remains(candidate):
        count = len(candidate.requests)
        left = Trial(lockstep, fresh(*workers), lambda _: fresh.shared.count != count)
        return left.remains(candidate)

    shrunk = shrink(execution.schedule, (1,) * 6, remains)
    assert len(shrunk.candidate.requests) == 2
    (switch,) = shrunk.candidate.points.preemptions
    site = execution.site(switch)
    assert (site.file, site.function) == (add.__code__.co_filename, "add")


def test_two_sleeps_that_end_at_the_same_instant_end_in_both_orders(lockstep):
    def once(shared):
        gevent.sleep(60)
        shared.said.append("once")

    def twice(shared):
        gevent.sleep(30)
        gevent.sleep(30)
        shared.said.append("twice")

    trial = Trial(lockstep, fresh(once, twice), said("once", "twice"))
    assert {shows for _, shows in trial.executions(20)} == {True, False}


def test_a_timeout_comes_when_nobody_is_ready_and_not_before(lockstep):
    def patient(shared):
        try:
            with gevent.Timeout(10):
                shared.event.wait()
                shared.said.append("in time")
                gevent.sleep(3600)
        except gevent.Timeout:
            shared.said.append("over")

    def slow(shared):
        for _ in range(9):
            gevent.sleep(1)
        shared.event.set()

    trial = Trial(lockstep, fresh(together(patient, slow)), said("in time", "over"))
    began = time.monotonic()
    assert all(shows for _, shows in trial.executions(50))
    assert time.monotonic() - began < 5


def test_a_timeout_of_nothing_does_not_wait_for_others_to_end(lockstep):
    def hasty(shared):
        shared.said.append(shared.event.wait(timeout=0))
        shared.said.append(shared.one.acquire(timeout=0))

    def busy(shared):
        with shared.one:
            gevent.sleep(5)

    # Also where the other one has taken it: the answer comes before its five seconds have passed.
    trial = Trial(lockstep, fresh(busy, hasty), said(False, False))
    assert {shows for _, shows in trial.executions(20)} == {True, False}


def test_a_request_may_come_after_others_have_slept(lockstep):
    """Nobody else is ready while it sleeps, but requests come at any time."""

    def first(shared):
        gevent.sleep(1)
        shared.said.append("slept")
        gevent.sleep(1)
        shared.said.append("ended")

    def second(shared):
        shared.said.append("came")

    trial = Trial(lockstep, fresh(first, second), said("slept", "came", "ended"))
    execution, _ = trial.first(50)
    assert all(trial.replay(execution.schedule)[1] for _ in range(20))


def test_who_asks_again_and_again_gets_an_answer(lockstep):
    """Somebody is always ready, so that time would never go by."""

    def asks(shared):
        while not shared.said:
            gevent.sleep(0)

    def answers(shared):
        gevent.sleep(0.5)
        shared.said.append("answered")

    trial = Trial(lockstep, fresh(together(asks, answers)), said("answered"))
    assert all(shows and not execution.stopped for execution, shows in trial.executions(5))


def test_clocks_show_the_virtual_time(lockstep):
    def sleepy(shared):
        before = time.time(), time.monotonic(), time.perf_counter()
        gevent.sleep(3600)
        after = time.time(), time.monotonic(), time.perf_counter()
        shared.said += [round(late - early) for early, late in zip(before, after, strict=True)]

    lockstep.run(fresh(sleepy)(), chooser())
    assert fresh.shared.said == [3600] * 3


def test_a_sleep_that_is_not_patched_takes_time_and_lets_nobody_go_on(lockstep):
    def native(shared):
        shared.said.append("begins")
        time.sleep(5)
        shared.said.append("ends")

    def other(shared):
        gevent.sleep(1)
        shared.said.append("other")

    trial = Trial(lockstep, fresh(together(native, other)), said("begins", "ends", "other"))
    assert all(shows for _, shows in trial.executions(20))


def test_who_waits_for_an_event_goes_on_in_the_order_in_which_they_came(lockstep):
    """So gevent does it; in which order they come is chosen."""

    def waiter(name):
        def wait(shared):
            shared.said.append(name)
            shared.event.wait()
            shared.said.append(name)

        return wait

    def setter(shared):
        gevent.sleep(1)
        shared.event.set()

    trial = Trial(lockstep, fresh(together(waiter("a"), waiter("b"), setter)), said)
    orders = set()
    for execution, _ in trial.executions(50):
        assert fresh.shared.said[:2] == fresh.shared.said[2:]
        assert execution.stopped is None
        orders.add(tuple(fresh.shared.said))
    assert len(orders) == 2


def test_queues_and_results_hand_over_what_was_put_into_them(lockstep):
    def consumer(shared):
        got = [shared.queue.get(timeout=100) for _ in range(3)]
        shared.result.set(got)

    def producer(shared):
        for each in range(3):
            shared.queue.put(each)
            gevent.sleep(0)

    def reader(shared):
        return shared.result.get()

    trial = Trial(
        lockstep,
        fresh(together(consumer, producer, reader)),
        lambda execution: execution.workers[0].value[2] == [0, 1, 2],
    )
    found = list(trial.executions(50))
    assert all(shows for _, shows in found)
    assert len({execution.schedule for execution, _ in found}) > 10


def test_greenlets_that_a_worker_spawns_are_workers_by_birth(lockstep):
    def parent(shared):
        children = [gevent.spawn(add, shared), gevent.spawn_later(1, add, shared)]
        gevent.joinall(children)
        return shared.count

    execution = lockstep.run(fresh(parent, add)(), chooser())
    assert len(execution.workers) == 4
    assert [ended.cut_off for ended in execution.workers] == [False] * 4
    assert execution.workers[0].value in (1, 2, 3)
    assert all(steps > 0 for steps in execution.steps)


def test_a_pool_carries_what_it_is_given(lockstep):
    def doubled(number):
        gevent.sleep(0)
        return number * 2

    def pooled(shared):
        return pool.Pool(2).map(doubled, [1, 2, 3])

    trial = Trial(lockstep, fresh(pooled), lambda each: each.workers[0] == Ended([2, 4, 6]))
    found = list(trial.executions(50))
    assert all(shows for _, shows in found)
    assert len({execution.schedule for execution, _ in found}) > 10


def test_who_is_killed_cleans_up(lockstep):
    def victim(shared):
        try:
            gevent.sleep(100)
        finally:
            shared.said.append("cleaned")

    def killer(shared):
        child = gevent.spawn(victim, shared)
        gevent.sleep(0)
        child.kill()
        shared.said.append(child.dead)

    trial = Trial(lockstep, fresh(killer, add), lambda _: fresh.shared.said[-1] is True)
    assert all(shows for _, shows in trial.executions(30))
    assert {"cleaned"} == {each for each in fresh.shared.said if each is not True}


OPERATIONS = ("sleep 0", "sleep 1", "sleep 2", "add", "put", "get", "set", "wait", "lock", "spawn")


def carried_out(word, shared, number):
    match word.split():
        case ["sleep", seconds]:
            gevent.sleep(int(seconds))
        case ["add"]:
            add(shared)
        case ["put"]:
            shared.queue.put(number)
        case ["get"]:
            try:
                shared.said.append(shared.queue.get(timeout=1))
            except queue.Empty:
                shared.said.append("nothing")
        case ["set"]:
            shared.event.set()
        case ["wait"]:
            shared.said.append(shared.event.wait(timeout=2))
        case ["lock"]:
            add_guarded(shared)
        case _:
            gevent.spawn(add, shared).join()
    shared.said.append((number, word, time.monotonic()))


def is_forgotten(stopped, programs):
    """Gevent itself forgets who begins to wait for an event that was set, and not yet told of.

    It does so where who waited before gives up in that moment: nobody is told of the event then.
    """
    words = [word for each in programs for word in each]
    return isinstance(stopped, Deadlock) and "set" in words and words.count("wait") > 1


@given(
    st.lists(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(0, 50),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example([["sleep 0"], ["wait"], ["set", "wait"]], 11)
def test_the_same_choices_give_the_same_history(lockstep, programs, number):
    def worker(index):
        def run(shared):
            for word in programs[index]:
                carried_out(word, shared, index)

        return run

    trial = Trial(lockstep, fresh(*map(worker, range(len(programs)))), lambda _: False)
    # The time goes on from one execution to the next.
    execution = lockstep.run(trial.calls(), chooser(number))
    told = [each[:2] if type(each) is tuple else each for each in fresh.shared.said]
    assert execution.stopped is None or is_forgotten(execution.stopped, programs)
    again, _ = trial.replay(execution.schedule)
    assert again.schedule == execution.schedule
    assert again.trails == execution.trails
    assert [each[:2] if type(each) is tuple else each for each in fresh.shared.said] == told
