"""How executions of greenlets end where their workers do not: nothing hangs, nothing is hidden."""

from __future__ import annotations

import _thread
import socket

import gevent
import gevent.socket
import gevent.subprocess
import greenlet
import pytest
from gevent import event, queue, threadpool
from greenlets_of import add, chooser, fresh, on_hub
from searching import Trial

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock, Ended, Escape, Limits, StepLimit
from ctxsim.cell.schedule.greenlets.hub import Greenlets
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.watchdog import Watchdog
from ctxsim.errors import DivergedError


@pytest.fixture
def lockstep():
    with on_hub() as lockstep:
        yield lockstep


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


def test_what_was_made_before_waits_with_the_hubs_own_loop_and_is_refused():
    """It would never be told of anything: a deadlock, or a timeout, that is none."""
    one, other = gevent.socket.socketpair()
    one.settimeout(1)
    with one, other, Greenlets() as lockstep:
        execution = lockstep.run([lambda: one.recv(1), lambda: gevent.sleep(5)], chooser())
    gevent.get_hub().destroy()
    assert isinstance(execution.stopped, Escape)
    assert "when the application was imported" in execution.stopped.awaited
    assert execution.stopped.stack[0].file == __file__


def test_what_a_callback_in_the_hub_waits_for_is_refused_too(lockstep):
    def links():
        child = gevent.spawn(len, ())
        child.rawlink(lambda _: gevent.get_hub().loop.io(0, 1).start(print))
        event.Event().wait()

    execution = lockstep.run([links], chooser())
    assert isinstance(execution.stopped, Escape)


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


def test_whom_gevent_itself_forgets_is_told_so(lockstep):
    """An event is set as the one that waits gives up: who waits next is told of by nobody."""

    def gives_up(shared):
        shared.event.wait(timeout=2)

    def sets(shared):
        gevent.sleep(2)
        shared.event.set()
        shared.event.wait(timeout=2)

    calls = fresh(gives_up, sets)
    ends = (lockstep.run(calls(), chooser(number)).stopped for number in range(50))
    forgotten = next(each for each in ends if each is not None)
    assert isinstance(forgotten, Deadlock)
    [wait] = forgotten.waits
    assert (wait.worker, wait.what) == (1, "gevent, which knows of nothing that would wake it")
    assert wait.site.line == sets.__code__.co_firstlineno + 3


def test_a_greenlet_that_carries_a_compiled_call_stands_where_it_was_started(lockstep):
    def joins(_):
        gevent.spawn(event.Event().wait).join()

    execution = lockstep.run(fresh(joins)(), chooser())
    assert isinstance(execution.stopped, Deadlock)
    assert execution.stopped.waits[0].what == "Greenlet.join"
    assert [code.co_filename for code, _ in execution.trails[1]] == [__file__]
