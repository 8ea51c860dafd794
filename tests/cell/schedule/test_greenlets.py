"""gevent's own primitives, unmodified: who goes on is chosen, and the time is virtual."""
# ruff: noqa: TID251 - the clocks are those of an execution

from __future__ import annotations

import _thread
import socket
import time
from contextlib import contextmanager

import gevent
import gevent.socket
import gevent.subprocess
import greenlet
import pytest
from gevent import event, lock, pool, queue, threadpool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from searching import Trial

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock, Ended, Escape, Limits, StepLimit
from ctxsim.cell.schedule.greenlets.hub import Greenlets, bring_to_rest
from ctxsim.cell.schedule.greenlets.stand_ins import GreenletStandIns
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.shrink import shrink
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.watchdog import Watchdog
from ctxsim.errors import DivergedError


def chooser(number=0, name="random"):
    return strategy(name).begin(number, 1, Lengths())


@contextmanager
def on_hub(limits=None):
    with GreenletStandIns():
        bring_to_rest()
        with Greenlets(limits) as lockstep:
            yield lockstep
        gevent.get_hub().destroy()


@pytest.fixture
def lockstep():
    with on_hub() as lockstep:
        yield lockstep


class Shared:
    """What the workers of one execution have in common."""

    def __init__(self):
        self.count = 0
        self.said = []
        self.one = lock.Semaphore(1)
        self.other = lock.BoundedSemaphore(1)
        self.event = event.Event()
        self.queue = queue.Queue()
        self.result = event.AsyncResult()


def fresh(*workers):
    """Workers that begin with everything new; the last one is at `fresh.shared`."""

    def calls():
        fresh.shared = shared = Shared()
        return [lambda worker=worker: worker(shared) for worker in workers]

    return calls


def together(*workers):
    """One worker that starts others, all at the same instant: none of them comes later."""

    def starts(shared):
        started = [gevent.spawn(worker, shared) for worker in workers]
        return [each.get() for each in started]

    return starts


def said(*expected):
    return lambda _: tuple(fresh.shared.said) == expected


def add(shared):
    seen = shared.count
    gevent.sleep(0)
    shared.count = seen + 1


def add_guarded(shared):
    with shared.one:
        add(shared)


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

    shrunk = shrink(execution.schedule, 6, remains)
    assert len(shrunk.candidate.requests) == 2
    (switch,) = shrunk.candidate.points.preemptions
    site = execution.site(switch)
    assert (site.file, site.function) == (__file__, "add")


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


def test_clocks_show_the_virtual_time(lockstep):
    def sleepy(shared):
        before = time.time(), time.monotonic(), time.perf_counter()
        gevent.sleep(3600)
        after = time.time(), time.monotonic(), time.perf_counter()
        shared.said += [round(then - now) for now, then in zip(before, after, strict=True)]

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


def test_two_semaphores_in_two_orders_are_a_deadlock_that_tells_who_holds_what(lockstep):
    def takes(first, second):
        def worker(shared):
            with getattr(shared, first):
                gevent.sleep(0)
                with getattr(shared, second):
                    pass

        return worker

    crossed = Trial(
        lockstep, fresh(takes("one", "other"), takes("other", "one")), lambda each: each.stopped
    )
    execution, _ = crossed.first(50)
    assert isinstance(execution.stopped, Deadlock)
    one, other = execution.stopped.waits
    assert (one.worker, one.holder, other.worker, other.holder) == (0, 1, 1, 0)
    assert (one.what, other.what) == ("BoundedSemaphore.acquire", "Semaphore.acquire")
    assert one.site.line == one.held_at.line + 2 == other.site.line
    assert all(ended.cut_off for ended in execution.workers)
    assert all(crossed.replay(execution.schedule)[1] for _ in range(20))

    same = Trial(lockstep, fresh(*[takes("one", "other")] * 2), lambda each: each.stopped)
    assert same.first(100) is None


def test_who_waits_for_an_event_that_never_comes_is_told_where(lockstep):
    def waits(shared):
        shared.event.wait()

    execution = lockstep.run(fresh(waits)(), chooser())
    (wait,) = execution.stopped.waits
    assert (wait.what, wait.holder, wait.site.function.rpartition(".")[2]) == (
        "Event.wait",
        None,
        "waits",
    )


def test_who_waits_for_a_greenlet_that_never_ends_is_told_so(lockstep):
    def waits(shared):
        gevent.spawn(shared.event.wait).join()

    execution = lockstep.run(fresh(waits)(), chooser())
    (wait,) = execution.stopped.waits
    assert wait.what == "Greenlet.join"


def test_an_endless_loop_ends_at_the_step_limit():
    def spin(shared):
        while True:
            gevent.sleep(0)

    with on_hub(Limits(steps=200)) as lockstep:
        execution = lockstep.run(fresh(spin, spin)(), chooser())
    assert isinstance(execution.stopped, StepLimit)
    assert {site.function.rpartition(".")[2] for site in execution.stopped.last} == {"spin"}


def test_a_greenlet_that_an_execution_leaves_goes_on_in_the_next(lockstep):
    """A consumer that the first request starts serves all others, as it does in production."""

    def consume(jobs):
        while True:
            answer, number = jobs.get()
            gevent.sleep(0.1)
            answer.set(number + 1)

    jobs = queue.Queue()

    def asks(number):
        if not consumers:
            consumers.append(gevent.spawn(consume, jobs))
        answer = event.AsyncResult()
        jobs.put((answer, number))
        return answer.get()

    consumers = []
    for number in range(3):
        execution = lockstep.run([lambda number=number: asks(number)] * 2, chooser(number))
        assert execution.stopped is None
        assert [ended.value for ended in execution.workers] == [number + 1] * 2
        assert len(execution.trails) == 3
    assert len(consumers) == 1
    assert not consumers[0].dead


def test_what_goes_on_for_ever_is_not_waited_for(lockstep):
    def beats(shared):
        while True:
            gevent.sleep(0)

    def starts(shared):
        gevent.spawn(beats, shared)

    execution = lockstep.run(fresh(starts)(), chooser())
    assert execution.stopped is None


def test_who_is_left_is_ended_when_the_hub_is_given_back():
    cleaned = []

    def waits():
        try:
            event.Event().wait()
        finally:
            cleaned.append(1)

    with on_hub() as lockstep:
        lockstep.run([lambda: gevent.spawn(waits)], chooser())
        assert not cleaned
    assert cleaned == [1]


def connects():
    with socket.socket() as client:
        gevent.socket.wait_read(client.fileno(), timeout=1)


def starts_a_thread():
    _thread.start_new_thread(print, ())


OUTSIDE = {
    "a socket or a pipe": connects,
    "a name of the network to be resolved": lambda: gevent.get_hub().resolver.gethostbyname("x"),
    "gevent's threadpool, which works in native threads": lambda: gevent.get_hub().threadpool.apply(
        len, ((),)
    ),
    "a native thread, as those of gevent's threadpool": lambda: threadpool.ThreadPool(1).spawn(len),
    "a native thread that it starts": starts_a_thread,
    "a process": lambda: gevent.subprocess.check_output(["true"]),
}


@pytest.mark.parametrize("awaited", OUTSIDE)
def test_what_comes_from_outside_is_refused_where_it_is_waited_for(awaited, lockstep):
    execution = lockstep.run([OUTSIDE[awaited], lambda: gevent.sleep(1)], chooser())
    assert isinstance(execution.stopped, Escape)
    assert (execution.stopped.worker, execution.stopped.awaited) == (0, awaited)
    assert execution.stopped.stack[0].file == __file__


def test_a_native_lock_that_nobody_gives_back_is_no_hang(lockstep):
    native = _thread.allocate_lock()
    native.acquire()
    with Watchdog(0.2):
        execution = lockstep.run([native.acquire, lambda: gevent.sleep(1)], chooser())
    assert execution.stopped.worker == 0


def test_greenlets_of_an_applications_own_belong_to_their_worker(lockstep):
    def nested(shared):
        def within():
            gevent.sleep(1)
            return greenlet.getcurrent().parent.switch("a")

        inner = greenlet.greenlet(within)
        first = inner.switch()
        gevent.sleep(1)
        return first, here().current.number

    execution = lockstep.run(fresh(nested, add)(), chooser())
    assert execution.stopped is None
    assert execution.workers[0] == Ended(("a", 0))
    assert len(execution.workers) == 2


def test_a_callback_that_is_linked_runs_when_the_greenlet_has_ended(lockstep):
    def links(shared):
        child = gevent.spawn(add, shared)
        child.link(lambda ended: shared.said.append(ended.dead))
        gevent.sleep(1)

    execution = lockstep.run(fresh(links)(), chooser())
    assert fresh.shared.said == [True]
    assert execution.stopped is None


def test_an_error_in_a_spawned_greenlet_ends_that_one_alone(lockstep, capsys):
    def fails(shared):
        raise LookupError("no such cart")

    def parent(shared):
        child = gevent.spawn(fails, shared)
        child.join()
        return str(child.exception)

    execution = lockstep.run(fresh(parent)(), chooser())
    assert execution.workers[0] == Ended("no such cart")
    assert "LookupError" in capsys.readouterr().err


def test_who_ends_the_process_in_a_greenlet_ends_the_execution(lockstep):
    def exits(shared):
        gevent.spawn(raises)
        gevent.sleep(10)

    def raises():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        lockstep.run(fresh(exits)(), chooser())
    assert lockstep.run(fresh(add)(), chooser()).stopped is None


def test_a_replay_that_diverges_raises_when_all_are_cut_off(lockstep):
    cleaned = []

    def counted(shared):
        try:
            add(shared)
            add(shared)
        finally:
            cleaned.append(1)

    first = lockstep.run(fresh(add, add)(), chooser())
    with pytest.raises(DivergedError):
        lockstep.run(fresh(counted, counted)(), Replay(first.schedule).begin(0, 0, Lengths()))
    assert cleaned == [1, 1]
    assert here() is None


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


@given(
    st.lists(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=4), min_size=1, max_size=4),
    st.integers(0, 50),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
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
    assert execution.stopped is None
    again, _ = trial.replay(execution.schedule)
    assert again.schedule == execution.schedule
    assert again.trails == execution.trails
    assert [each[:2] if type(each) is tuple else each for each in fresh.shared.said] == told
