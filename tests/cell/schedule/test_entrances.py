"""Code that tells when it is entered is the same else: the same lines, handlers and ends."""

from __future__ import annotations

import asyncio
import dis
import gc
import sys
from contextlib import contextmanager, suppress
from functools import partial, reduce
from types import FunctionType
from weakref import ref

import pytest

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.entrances import (
    _all_functions,
    _call,
    _called_anywhere,
    _called_once,
    calling,
)
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.settrace import Settrace
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.tracing import Tracers, tracing
from ctxsim.cell.searching.forks import in_fork

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="from 3.12 on, `sys.monitoring` looks at selected code only"
)
OWN = frozenset({__file__})
_CALL = 5


def plain(left, right):
    return left + right


def one_line(items): return [each for each in items if each]  # fmt: skip


def loops(count):
    total = 0
    for each in range(count):
        while total < each:
            total += 1
        else:
            continue
    return total


def numbers(count):
    for each in range(count):
        sent = yield each
        yield sent, each
    yield from (
        each
        for each in range(2)
    )  # fmt: skip


@contextmanager
def opened(log):
    log.append("in")
    try:
        yield log
    except LookupError as error:
        log.append(repr(error))
    finally:
        log.append("out")


def handled(log):
    with opened(log) as inside:
        inside.append("raise")
        raise LookupError(
            "what",
        )
    return log


class Cart:
    def __init__(self):
        self.items = [
            plain(1, 2),
            plain(3, 4),
        ]

    def __len__(self):
        return len(self.items)


async def slept(count):
    for _ in range(count):
        await asyncio.sleep(0)
    async with asyncio.Lock():
        return count


def many(count):
    namespace = {}
    body = "".join(f"        total += {1000 + at} + each\n" for at in range(count))
    source = f"def f():\n    total = 0\n    for each in range(3):\n{body}        yield total\n"
    exec(compile(source, __file__, "exec"), namespace)
    return namespace["f"]


long_one = many(300)


def by_library():
    """Nothing that calls them is selected, but for the one that begins."""
    return [
        reduce(plain, range(4)),
        list(map(one_line, [[0, 1], [2]])),
        len(Cart()),
        sum(long_one()),
    ]


WORKS = {
    "functions": lambda: reduce(plain, range(5)),
    "a comprehension": lambda: list(map(one_line, [[1, 0], [2]])),
    "loops": partial(loops, 4),
    "a generator": lambda: list(numbers(3)),
    "handlers": lambda: handled([]),
    "objects": lambda: len(Cart()),
    "coroutines": lambda: asyncio.run(slept(3)),
    "long jumps": lambda: list(long_one()),
    "all": by_library,
}


def came_through(tracer, works):
    """The values, and the places of each worker in turn."""
    with tracer, Lockstep(tracer) as lockstep:
        found = []
        for number in range(4):
            chooser = strategy("random").begin(number, 1, Lengths())
            found.append(lockstep.run(works, chooser))
    errors = [ended.error for each in found for ended in each.workers if ended.error]
    assert not errors
    return [
        ([ended.value for ended in each.workers], list(map(_lines, each.trails)), each.schedule)
        for each in found
    ]


def _lines(trail):
    return [(code.co_qualname, line) for code, line in trail]


def of_library(source):
    """A function, `f`, that is in no selected file."""
    namespace = {"sys": sys}
    exec(compile(source, "a library", "exec"), namespace)
    return namespace["f"]


def through_library(work):
    """Code that is not selected comes first, as a server's does."""
    return partial(of_library("def f(work):\n    return repr(work())"), work)


@pytest.mark.parametrize("name", [name for name in WORKS if name != "coroutines"])
def test_the_same_lines_are_switch_points_as_where_all_is_traced(name):
    works = [through_library(WORKS[name])] * 2
    whole = came_through(Settrace(Selection(OWN)), works)
    assert came_through(tracing(Selection(OWN)), works) == whole
    assert len(whole[0][1][0]) > 1


def test_coroutines_have_the_same_lines():
    """One at a time, since an event loop is the thread's."""
    works = [through_library(lambda: _driven(slept(3)))]
    whole = came_through(Settrace(Selection(OWN)), works)
    assert came_through(tracing(Selection(OWN)), works) == whole
    assert len(whole[0][1][0]) > 6


def _driven(coroutine):
    with suppress(StopIteration):
        while True:
            coroutine.send(None)


def test_a_generator_is_traced_whoever_goes_on_with_it():
    """Not only by who made it, as the body of a response that a server sends."""
    go_on = of_library("def f(generator):\n    return next(generator)")
    with tracing(Selection(OWN)) as tracer, Lockstep(tracer) as lockstep:
        generator = numbers(3)
        for _ in range(4):
            call = partial(go_on, generator)
            execution = lockstep.run([call], strategy("random").begin(0, 1, Lengths()))
            assert {code.co_name for code, _ in execution.trails[0]} == {"numbers"}


def test_other_code_runs_as_if_nothing_was_traced():
    source = """def f(call):
        before = sys.gettrace()
        call(1, 2)
        return before, sys.gettrace()"""
    works = [partial(of_library(source), plain)] * 2
    with tracing(Selection(OWN)) as tracer:
        lockstep = Lockstep(tracer)
        for number in range(20):
            execution = lockstep.run(works, strategy("random").begin(number, 1, Lengths()))
            assert not execution.unseen
            assert [ended.value for ended in execution.workers] == [(None, None)] * 2


def test_functions_are_what_they_were_afterwards():
    before = plain.__code__, numbers.__code__
    gc.freeze()
    try:
        with tracing(Selection(OWN)):
            assert plain.__code__ is not before[0]
            made = many(1)
        assert (plain.__code__, numbers.__code__) == before
        assert plain.__code__ is before[0]
        assert list(made())
    finally:
        gc.unfreeze()


def test_any_code_there_is_keeps_its_instructions_lines_jumps_and_handlers():
    codes = {each.__code__ for each in _all_functions()}
    assert len(codes) > 1_000
    for code in sorted(codes, key=lambda each: each.co_qualname)[::8]:
        assert _shape(calling(code, plain), _CALL) == _shape(code, 0), code


def test_code_that_begins_in_one_place_is_made_the_same_as_any_other():
    made = 0
    for code in {each.__code__ for each in _all_functions()}:
        call = _call(len(code.co_consts))
        if (once := _called_once(code, call)) is not None:
            anywhere = _called_anywhere(code, call)
            assert (once[0], once[2]) == (anywhere[0], anywhere[2]), code
            assert _positions(code, *once) == _positions(code, *anywhere), code
            made += 1
    assert made > 1_000


def _positions(code, raw, lines, handlers):
    whole = code.replace(co_code=raw, co_linetable=lines, co_exceptiontable=handlers)
    return [*whole.co_positions()]


def _shape(code, inserted):
    """What there is, with targets as numbers of instructions."""
    found, begins, at, left = [], {}, None, 0
    for each in dis.get_instructions(code):
        at = each.offset if at is None else at
        if each.opname == "EXTENDED_ARG":
            continue
        if left:
            left -= 1
        else:
            begins[at] = len(found)
            found.append(each)
            left = inserted if each.opname == "RESUME" else 0
        at = None
    begins[len(code.co_code)] = len(found)
    told = [
        (each.opname, begins[each.argval] if each.opcode in dis.hasjrel else each.argval)
        for each in found
    ]
    guarded = [
        (begins[each.start], begins[each.end], begins[each.target], each.depth, each.lasti)
        for each in dis._parse_exception_table(code)
    ]
    return told, [each.positions for each in found], guarded


def test_a_copy_switches_at_the_same_lines_where_its_origin_has_looked_ahead():
    works = [through_library(WORKS["functions"])] * 2
    before = plain.__code__
    tracers = Tracers()
    tracers.look_ahead(Selection(OWN))
    assert plain.__code__ is before

    in_copy = in_fork(lambda: came_through(tracers.of(Selection(OWN)), works))
    assert in_copy == came_through(tracing(Selection(OWN)), works)
    assert plain.__code__ is before


def test_a_copy_switches_at_the_same_lines_where_its_origin_calls_already():
    """And at none but those of what is selected in that copy; the origin runs as it did."""
    works = [through_library(WORKS[name]) for name in ("functions", "a generator")]
    wider = frozenset({__file__, dis.__file__})
    lines, opcodes, none = Selection(OWN), Selection(OWN, "opcode"), Selection(frozenset())
    selections = [lines, Selection(wider), opcodes, none]
    expected = [came_through(tracing(each), works) for each in selections]
    before = plain.__code__
    tracers = Tracers()
    for _ in range(2):
        for ahead in selections:
            tracers.put_ahead(ahead)
            assert (plain.__code__ is before) == (ahead not in selections[:2])
            assert [work() for work in works] == expected[0][0][0]
            assert sys.gettrace() is None
            for each, whole in zip(selections, expected, strict=True):
                assert in_fork(partial(copied, tracers, each, works)) == whole


def copied(tracers, selection, works):
    return came_through(tracers.of(selection), works)


def test_a_function_that_looking_ahead_found_can_be_freed():
    tracers = Tracers()
    made = FunctionType(plain.__code__, {})
    dies = ref(made)
    tracers.look_ahead(Selection(OWN))
    del made
    assert dies() is None
