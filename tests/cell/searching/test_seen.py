"""What is seen of lines: writes when done, reads when a request goes on; own ones never."""

import pytest

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.points import Points, Switch
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.tracing import tracing
from ctxsim.cell.searching.seen import Watch, only_shared

state = {}


def writes_then_reads():
    state["a"] = 1
    own = {"a": 2}
    own["a"] = 3
    return state["a"]


def writes():
    state["a"] = 2


def fails():
    try:
        state["a"] = int("no number")
    except ValueError:
        return


def seen(*calls, points, files=frozenset({__file__})):
    watch = Watch(lambda file: file == __file__)
    with tracing(Selection(files), watch) as tracer:
        Lockstep(tracer).run(calls, ByPoints(points).begin(0, 0, Lengths()))
    lines = only_shared(watch.lines)
    return [(line.lane[1], access.kind) for line in lines for access in line.accesses], lines


ONE_BY_ONE = Points((0, 1))


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (1, [(1, "writes"), (0, "writes"), (0, "reads")]),
        (2, [(0, "writes"), (1, "writes"), (0, "reads")]),
        (4, [(0, "writes"), (1, "writes"), (0, "reads")]),
    ],
)
def test_uses_are_told_in_the_order_in_which_they_come_about(step, told):
    points = Points((0, 1), (Switch(0, step, 1),))
    assert seen(writes_then_reads, writes, points=points)[0] == told


def test_lines_are_seen_also_where_none_is_a_switch_point():
    told, lines = seen(writes_then_reads, writes, points=ONE_BY_ONE, files=frozenset())
    assert told == [(0, "writes"), (0, "reads"), (1, "writes")]
    assert len(lines) == 5


def test_what_one_alone_uses_or_nobody_writes_is_not_shared():
    assert seen(writes_then_reads, points=Points((0,)))[0] == []
    assert seen(fails, fails, points=ONE_BY_ONE)[0] == []


def test_a_write_that_fails_is_none():
    told, _ = seen(fails, writes_then_reads, points=ONE_BY_ONE)
    assert [kind for worker, kind in told if worker == 0] == []


kept = []
failed = []


def takes():
    try:
        return kept.pop() if kept else None
    except IndexError:
        failed.append(True)
        return None


def taken(step):
    kept[:], failed[:] = ["spare"], []
    watch = Watch(lambda file: file == __file__)
    points = Points((0, 1), (Switch(0, step, 1),))
    with tracing(Selection(frozenset({__file__}), "opcode"), watch) as tracer:
        Lockstep(tracer).run((takes, takes), ByPoints(points).begin(0, 0, Lengths()))
    named = [
        (line.lane[1], access.kind)
        for line in only_shared(watch.lines)
        for access in line.accesses
        if access.at.name.endswith("kept")
    ]
    return bool(failed), named


def test_what_others_took_within_a_line_is_read_where_that_line_fails():
    found = [told for has_failed, told in map(taken, range(1, 30)) if has_failed]
    assert found
    for told in found:
        assert told[-1] == (0, "reads")
        assert told[-2] == (1, "writes")


def counter():
    number = 0

    def count():
        nonlocal number
        number += 1

    def read():
        return number

    return count, read


def test_a_variable_around_functions_is_told_where_they_share_it():
    """Of two sets of functions with the same code, each has its own."""
    (count, read), (other_count, _) = counter(), counter()
    for _ in range(5):
        other_count()
    told, lines = seen(count, read, points=ONE_BY_ONE)
    assert told == [(0, "writes"), (1, "reads")]
    assert {access.at.name for line in lines for access in line.accesses} == {"counter.number"}
    assert seen(count, other_count, points=ONE_BY_ONE)[0] == []


def test_a_variable_around_functions_is_not_told_where_they_cannot_be_told_apart():
    (count, _), (_, other_read) = counter(), counter()
    assert seen(count, other_read, points=ONE_BY_ONE)[0] == []


class Shop:
    def __init__(self):
        self._current = ""

    @property
    def current(self):
        return self._current

    @current.setter
    def current(self, name):
        self._current = name


def test_what_a_property_uses_is_told_in_its_own_lines():
    shop = Shop()

    def sets():
        shop.current = "a"

    told, lines = seen(sets, lambda: shop.current, points=ONE_BY_ONE)
    assert told == [(0, "writes"), (1, "reads")]
    assert {line.function for line in lines if line.accesses} == {"current"}
