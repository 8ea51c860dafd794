"""In a worker blocking calls wait for other workers; outside they are what they always were."""
# ruff: noqa: TID251 - what takes time and chance from the air is what is stood in for

from __future__ import annotations

import _thread
import queue
import random
import secrets
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.states import TICKS_PER_S
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.tracing import tracing

before = threading.local()
bound_before = threading.Lock
kept_before = threading.Lock()


@pytest.fixture
def lockstep():
    with StandIns(), tracing(Selection(frozenset({__file__}))) as tracer:
        yield Lockstep(tracer)


def executions(lockstep, calls, count=30, name="random", seed=5):
    for number in range(count):
        yield lockstep.run(calls, strategy(name).begin(number, 1, Lengths()), seed)


def values(execution):
    assert execution.stopped is None
    assert not [ended.error for ended in execution.workers if ended.error]
    return [ended.value for ended in execution.workers]


def in_threads(*calls):
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(thread.is_alive() for thread in threads)


def with_a_condition():
    condition, box, got = threading.Condition(), [], []

    def take():
        with condition:
            condition.wait_for(lambda: box)
            got.append(box.pop())

    def put():
        for item in "ab":
            with condition:
                box.append(item)
                condition.notify_all()

    in_threads(take, take, put)
    return sorted(got)


def with_an_event():
    event, seen = threading.Event(), []

    def wait():
        seen.append((event.wait(0.01), event.wait()))

    timer = threading.Timer(0.5, event.set)
    timer.start()
    in_threads(wait, wait)
    timer.join()
    return seen


def with_a_semaphore():
    free, inside, most = threading.Semaphore(2), [], []

    def enter():
        with free:
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    in_threads(*[enter] * 5)
    return max(most) <= 2, free.acquire(timeout=0.01)


def with_a_barrier():
    barrier, places = threading.Barrier(3), []
    in_threads(*[lambda: places.append(barrier.wait())] * 3)
    return sorted(places)


def with_a_queue():
    items, got = queue.Queue(2), []

    def put():
        for item in range(5):
            items.put(item)
        items.put(None)

    def get():
        while (item := items.get()) is not None:
            got.append(item)
            items.task_done()
        items.task_done()

    in_threads(put, get)
    items.join()
    with pytest.raises(queue.Empty):
        items.get(timeout=0.01)
    return got


def with_a_simple_queue():
    items, got = queue.SimpleQueue(), []
    in_threads(lambda: got.append(items.get()), lambda: items.put("a"))
    with pytest.raises(queue.Empty):
        items.get(timeout=0.01)
    return got, items.empty()


def with_a_pool():
    with ThreadPoolExecutor(3) as pool:
        squares = list(pool.map(lambda each: each**2, range(6)))
        futures = {pool.submit(pow, each, 3): each for each in range(4)}
        cubes = sorted(future.result() for future in as_completed(futures))
        failed = pool.submit(int, "x").exception()
    return squares, cubes, type(failed)


def with_a_reentrant_lock():
    lock, total = threading.RLock(), []

    def twice():
        with lock:
            with lock:
                seen = len(total)
                total.append(seen)
            assert total[-1] == seen

    in_threads(twice, twice, twice)
    with pytest.raises(RuntimeError):
        lock.release()
    return total


def with_sleep():
    woken = []

    def sleep(seconds):
        time.sleep(seconds)
        woken.append(seconds)

    in_threads(*[lambda each=each: sleep(each) for each in (0.8, 0.0, 0.4)])
    return woken


PROGRAMS = [
    with_a_condition,
    with_an_event,
    with_a_semaphore,
    with_a_barrier,
    with_a_queue,
    with_a_simple_queue,
    with_a_pool,
    with_a_reentrant_lock,
    with_sleep,
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_threads_give_what_they_give_on_real_ones(program, lockstep):
    """The same calls run outside of an execution, where the stand-ins start real threads."""
    expected = program()
    found = list(executions(lockstep, [program]))
    assert [values(each)[0] for each in found] == [expected] * len(found)
    assert len({each.schedule for each in found}) > 1


def test_a_deadlock_of_two_locks_is_told_with_both_holders_and_sites(lockstep):
    first, second = threading.Lock(), threading.Lock()

    def one():
        with first, second:
            pass

    def other():
        with second, first:
            pass

    found = [each.stopped for each in executions(lockstep, [one, other]) if each.stopped]
    assert 0 < len(found) < 30
    for deadlock in found:
        assert isinstance(deadlock, Deadlock)
        waits = deadlock.waits
        assert [(each.worker, each.holder) for each in waits] == [(0, 1), (1, 0)]
        assert {each.what for each in waits} == {"Lock.acquire"}
        for wait, waiting in zip(waits, (one, other), strict=True):
            holding = other if waiting is one else one
            assert wait.site.function == waiting.__qualname__
            assert wait.held_at.function == holding.__qualname__
            assert wait.site.line == waiting.__code__.co_firstlineno + 1
    assert "held by worker 1" in str(found[0])


def test_who_waits_for_what_will_not_come_is_told_by_what_it_called(lockstep):
    def forgotten():
        threading.Event().wait()

    def empty():
        queue.Queue().get()

    (execution,) = executions(lockstep, [forgotten, empty], 1)
    assert [each.what for each in execution.stopped.waits] == ["Event.wait", "Queue.get"]
    assert [each.holder for each in execution.stopped.waits] == [None, None]


def test_threads_that_have_nothing_to_do_are_no_deadlock(lockstep):
    def leave_a_pool():
        return ThreadPoolExecutor(1).submit(int, "7").result()

    (execution,) = executions(lockstep, [leave_a_pool], 1)
    assert execution.stopped is None
    assert execution.workers[0].value == 7


def test_background_work_goes_on_after_the_request_but_not_for_ever(lockstep):
    done = []

    def later():
        time.sleep(1)
        done.append("mail")

    def poll():
        while True:
            time.sleep(3)
            done.append("poll")

    def request():
        for call in (later, poll):
            threading.Thread(target=call, daemon=True).start()

    (execution,) = executions(lockstep, [request], 1)
    assert execution.stopped is None
    assert done == ["mail", "poll", "poll", "poll"]


def test_time_is_virtual_and_goes_on_by_a_tick_at_each_look(lockstep):
    def nap():
        clocks = time.time, time.monotonic, time.perf_counter
        began = [clock() for clock in clocks]
        time.sleep(3600)
        return [clock() - start for clock, start in zip(clocks, began, strict=True)]

    started = time.perf_counter()
    (execution,) = executions(lockstep, [nap], 1)
    # Six looks: each clock was looked at three looks after its first.
    assert values(execution) == [[3600.0 + 3 / TICKS_PER_S] * 3]
    assert time.perf_counter() - started < 60


def test_no_two_looks_at_a_clock_are_the_same(lockstep):
    """Applications number orders by the time, in whatever execution and by whichever clock."""

    def number():
        return time.time_ns(), time.time_ns()

    lockstep = Lockstep(time_goes_on=True)
    found = [
        each
        for execution in executions(lockstep, [number] * 3, 4)
        for value in values(execution)
        for each in value
    ]
    assert len(set(found)) == len(found) == 24
    assert max(found) - min(found) < 1_000_000_000


def test_equal_deadlines_are_a_choice(lockstep):
    """Also between one who gives a lock back and one whose patience for it ends just then."""
    lock = threading.Lock()

    def hold():
        with lock:
            time.sleep(1)

    def try_it():
        if got := lock.acquire(timeout=1):
            lock.release()
        return got

    found = {tuple(values(each)) for each in executions(lockstep, [hold, try_it], 60)}
    assert found == {(None, True), (None, False)}


def test_each_worker_is_a_thread_of_its_own(lockstep):
    def identity():
        me = threading.current_thread()
        time.sleep(0)
        assert threading.current_thread() is me
        assert me.ident == threading.get_ident() == _thread.get_ident()
        return me.ident, me.name, me.is_alive()

    known = threading.enumerate()
    for execution in executions(lockstep, [identity] * 3, 5):
        assert values(execution) == [(each + 1, f"worker-{each}", True) for each in range(3)]
    assert threading.enumerate() == known
    assert threading.get_ident() == threading.main_thread().ident


def test_threads_are_named_alike_in_each_execution(lockstep):
    def name():
        thread = threading.Thread(target=print)
        with ThreadPoolExecutor(1) as pool:
            return thread.name, pool.submit(lambda: threading.current_thread().name).result()

    found = {tuple(values(each)[:1]) for each in executions(lockstep, [name])}
    assert found == {(("Thread-1 (print)", "ThreadPoolExecutor-0_0"),)}


def reads_its_own(local):
    def call():
        assert not hasattr(local, "name")
        local.name = me = threading.get_ident()
        time.sleep(0)
        return local.name == me and vars(local) == {"name": me}

    return call


def test_thread_locals_are_each_workers_own(lockstep):
    local = threading.local()
    local.name = "outside"
    for execution in executions(lockstep, [reads_its_own(local)] * 3):
        assert values(execution) == [True] * 3
    assert local.name == "outside"


def test_thread_locals_that_were_there_before_are_each_workers_own(lockstep):
    assert type(before) is not threading.local
    before.name = "outside"
    for execution in executions(lockstep, [reads_its_own(before)] * 3):
        assert values(execution) == [True] * 3
    assert before.name == "outside"
    del before.name


def test_a_subclass_of_local_is_initialised_for_each_worker(lockstep):
    class Farewell(threading.local):
        def __init__(self, word):
            self.word = word
            self.said = []

    local = Farewell("bye")

    def say():
        local.said.append(local.word)
        time.sleep(0)
        return local.said

    for execution in executions(lockstep, [say] * 3):
        assert values(execution) == [["bye"]] * 3
    assert local.said == []


def test_names_that_modules_bound_before_are_bound_anew_and_given_back():
    real = bound_before
    with StandIns():
        assert bound_before is threading.Lock is not real
        assert type(kept_before) is threading.Lock
    assert bound_before is threading.Lock is real
    assert type(kept_before) is type(_thread.allocate_lock())


def test_a_lock_of_a_module_from_before_is_waited_for(lockstep):
    inside = []

    def enter():
        with kept_before:
            inside.append(1)
            most = len(inside)
            inside.pop()
        return most

    for execution in executions(lockstep, [enter] * 3):
        assert values(execution) == [1] * 3


def test_chance_is_the_seeds(lockstep):
    def draw():
        drawn = random.randrange(1000), uuid.uuid4().hex, secrets.token_hex(4)
        time.sleep(0)
        return drawn, random.randrange(1000)

    (one,) = executions(lockstep, [draw], 1, seed=1)
    (same,) = executions(lockstep, [draw], 1, seed=1)
    (other,) = executions(lockstep, [draw], 1, seed=2)
    assert values(one) == values(same) != values(other)


def test_chance_is_given_back_with_the_stand_ins():
    state = random.getstate()
    with StandIns():
        Lockstep().run([random.random], strategy("random").begin(0, 0, Lengths()))
    assert random.getstate() == state


def test_a_thread_that_is_cut_off_prints_nothing(lockstep, capfd, caplog):
    def leave_threads():
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        pool = ThreadPoolExecutor(1)
        pool.submit(int).result()

    list(executions(lockstep, [leave_threads], 3))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_stand_ins_are_real_in_another_thread_while_an_execution_runs(lockstep):
    """Nothing but the workers is driven: the thread that watches a cell waits in earnest."""
    started, stop, seen = threading.Event(), threading.Event(), []

    def elsewhere():
        started.set()
        stop.wait()
        seen.append(threading.current_thread().name)

    thread = threading.Thread(target=elsewhere, name="watcher")
    thread.start()
    started.wait()

    def request():
        stop.set()
        time.sleep(0)
        return threading.current_thread().name

    (execution,) = executions(lockstep, [request], 1)
    thread.join()
    assert values(execution) == ["worker-0"]
    assert seen == ["watcher"]


FOR_GOOD = """
from ctxsim.cell.schedule.standins import StandIns
StandIns().install()
import threading
from concurrent.futures import ThreadPoolExecutor
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.strategies import strategy

outside = ThreadPoolExecutor(1)
print(outside.submit(int, "1").result())

def leave():
    threading.Thread(target=threading.Event().wait).start()
    return ThreadPoolExecutor(1).submit(int, "2").result()

chooser = strategy("random").begin(0, 0, Lengths())
print(*[ended.value for ended in Lockstep().run([leave, leave], chooser).workers[:2]])
"""


def test_a_process_with_stand_ins_for_good_ends_as_any_other():
    """Also where workers have left threads that the interpreter would wait for."""
    ended = subprocess.run(
        [sys.executable, "-c", FOR_GOOD], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("1\n2 2\n", "", 0)


def test_a_worker_that_waits_for_a_real_thread_is_in_no_deadlock(lockstep):
    """As for a pool that was made when the application was imported."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        for execution in executions(lockstep, [lambda: pool.submit(int, "7").result()] * 2):
            assert values(execution) == [7, 7]
