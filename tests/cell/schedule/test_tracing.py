"""Every line of selected files is a switch point in every worker, and no other line is."""
# ruff: noqa: TID251 - a worker sleeps in no real time

from __future__ import annotations

import contextvars
import gc
import signal
import sys
import threading
import time

import greenlet
import pytest
import racy

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import UncontrolledBlock
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.tracing import tracing
from ctxsim.cell.schedule.watchdog import Watchdog
from ctxsim.errors import UsageError

OWN = frozenset({__file__})
hidden = [threading.Lock()]
monitored = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")


@pytest.fixture(params=["line", "opcode"])
def lockstep(request):
    with tracing(Selection(OWN, request.param)) as tracer:
        yield Lockstep(tracer)


def executions(lockstep, calls, count=50, first=0):
    for number in range(first, first + count):
        execution = lockstep.run(calls, strategy("random").begin(number, 1, Lengths()))
        assert execution.stopped is None
        yield execution


def values(execution):
    assert not [ended.error for ended in execution.workers if ended.error]
    return [ended.value for ended in execution.workers]


def add(left, right):
    total = left
    total = total + right
    return total


def test_every_worker_is_traced_from_the_first_execution_on(lockstep):
    """A plain switch in a callback leaves all but the first worker untraced, and looks clean."""
    found = list(executions(lockstep, [lambda: add(1, 2)] * 3))
    assert {each.steps for each in found} == {(found[0].steps[0],) * 3}
    assert found[0].steps[0] >= 4
    assert len({each.schedule for each in found}) > 40


def test_what_is_not_selected_is_atomic():
    with tracing(Selection(OWN)) as tracer:
        (execution,) = executions(Lockstep(tracer), [racy.count], 1)
    assert execution.unseen == (0,)


def test_another_selection_selects_anew():
    """What one selection has left out for good must not stay left out."""
    for selected, unseen in (({__file__}, (0,)), ({racy.__file__}, ()), ({__file__}, (0,))):
        with tracing(Selection(frozenset(selected))) as tracer:
            (execution,) = executions(Lockstep(tracer), [racy.count], 1)
        assert execution.unseen == unseen


def test_lines_outside_of_an_execution_are_no_switch_points(lockstep):
    assert add(1, 2) == 3
    thread = threading.Thread(target=add, args=(1, 2))
    thread.start()
    thread.join()


def test_functions_that_c_code_calls_back_are_switch_points(lockstep):
    def key(item):
        touched.append(item)
        return -item

    def ordered():
        return sorted(range(4), key=key)

    touched = []
    found = list(executions(lockstep, [ordered, ordered]))
    assert {tuple(map(tuple, values(each))) for each in found} == {((3, 2, 1, 0),) * 2}
    orders = {tuple(touched[at : at + 8]) for at in range(0, len(touched), 8)}
    assert len(orders) > 3


def test_a_generator_of_two_workers_refuses_as_it_does_with_threads(lockstep):
    def shared():
        generator = numbers()

        def take():
            try:
                return next(generator, None)
            except ValueError as error:
                return str(error)

        return take, take

    def numbers():
        number = 0
        while True:
            yield number
            number += 1

    found = set()
    for number in range(50):
        (execution,) = executions(lockstep, shared(), 1, number)
        found.add(tuple(values(execution)))
    assert (0, 1) in found
    assert any("generator already executing" in each for each in found)


def test_errors_that_are_handled_are_each_workers_own(lockstep):
    def handle(word):
        try:
            raise LookupError(word)
        except LookupError:
            add(1, 2)
            seen = sys.exc_info()[1]
            return str(seen)

    calls = [lambda: handle("a"), lambda: handle("b"), lambda: str(sys.exc_info()[1])]
    assert {tuple(values(each)) for each in executions(lockstep, calls)} == {("a", "b", "None")}


def test_context_variables_are_each_workers_own(lockstep):
    def bind(name):
        empty = variable.get(None)
        variable.set(name)
        add(1, 2)
        return empty, variable.get()

    variable = contextvars.ContextVar("user")
    calls = [lambda: bind("a"), lambda: bind("b")]
    expected = ((None, "a"), (None, "b"))
    assert {tuple(values(each)) for each in executions(lockstep, calls)} == {expected}


def test_deep_recursion_of_several_workers_is_right(lockstep):
    def depth(number):
        return 0 if number == 0 else 1 + depth(number - 1)

    calls = [lambda: depth(250)] * 3
    assert [values(each) for each in executions(lockstep, calls, 3)] == [[250] * 3] * 3


def test_finalizers_of_garbage_do_not_change_the_schedule(lockstep):
    """They run between executions, because no schedule says when a collection comes."""

    class Cart:
        def __init__(self):
            self.me = self

        def __del__(self):
            add(1, 2)

    def buy():
        for _ in range(20):
            Cart()

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        (first,) = executions(lockstep, [buy, buy], 1)
        for _ in range(30):
            (again,) = executions(lockstep, [buy, buy], 1)
            assert again.trails == first.trails
    finally:
        gc.set_threshold(*threshold)
    assert gc.isenabled()


def test_greenlets_of_the_application_are_traced_too(lockstep):
    def nested():
        return greenlet.greenlet(lambda: add(1, 2)).switch()

    (execution,) = executions(lockstep, [nested, nested], 1)
    assert values(execution) == [3, 3]
    assert "add" in {code.co_name for code, _ in execution.trails[1]}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="only 3.11 has one slot for all tracing")
def test_a_trace_function_that_is_set_is_an_error_that_says_what_to_do():
    def trace(frame, event, arg):
        return None

    with tracing(Selection(OWN)) as tracer:
        sys.settrace(trace)
        try:
            with pytest.raises(UsageError, match=r"function .* is set.*needs.*Run it without"):
                Lockstep(tracer).run([add], strategy("random").begin(0, 0, Lengths()))
            assert sys.gettrace() is trace
        finally:
            sys.settrace(None)


@monitored
def test_tool_ids_that_are_taken_are_an_error_that_says_what_to_do():
    for tool in (3, 4):
        sys.monitoring.use_tool_id(tool, f"debugger {tool}")
    try:
        with pytest.raises(UsageError, match=r"debugger 4.*in use.*needs.*Run it without"):
            tracing(Selection(OWN)).__enter__()
    finally:
        for tool in (3, 4):
            sys.monitoring.free_tool_id(tool)


@monitored
def test_one_tool_id_that_is_taken_does_not_matter():
    sys.monitoring.use_tool_id(4, "another")
    try:
        with tracing(Selection(OWN)) as tracer:
            (execution,) = executions(Lockstep(tracer), [lambda: add(1, 2)], 1)
        assert not execution.unseen
    finally:
        sys.monitoring.free_tool_id(4)


def test_a_real_lock_that_blocks_is_told_with_its_site_and_does_not_hang():
    """It was hidden in a list, where no stand-in could be put around it."""

    def hold():
        with hidden[0]:
            time.sleep(1)

    with StandIns(), Watchdog(0.5):
        for number in range(20):
            execution = Lockstep().run([hold, hold], strategy("random").begin(number, 1, Lengths()))
            assert isinstance(execution.stopped, UncontrolledBlock)
            assert execution.stopped.stack[0].line == hold.__code__.co_firstlineno + 1
            assert __file__ in str(execution.stopped)
            assert not hidden[0].locked()
            break


def test_code_that_runs_in_circles_without_a_switch_point_is_told():
    def spin():
        while True:
            pass

    with Watchdog(0.5):
        execution = Lockstep().run([spin], strategy("random").begin(0, 1, Lengths()))
    assert isinstance(execution.stopped, UncontrolledBlock)
    assert execution.stopped.stack[0].function == spin.__qualname__
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL


def test_a_watchdog_outside_of_the_main_thread_is_refused():
    def enter():
        with pytest.raises(UsageError, match="main"):
            Watchdog().__enter__()
        refused.append(True)

    refused = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert refused
