"""Lines are switch points where statements begin: the same ones on every Python.

`syntax.txt` says in which order `syntax.py` comes to them, a function and its lines in a row. It is
the same text for all versions that tests run on.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from pathlib import Path

import pytest
import syntax

from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.statements import Span, spans_of
from ctxsim.cell.schedule.tracing import tracing, tracing_threads

SELECTED = Selection(frozenset({syntax.__file__}))
EXPECTED = Path(__file__).with_name("syntax.txt")


class Silent:
    """Wants to see each line, and says nothing."""

    def wants(self, file):
        return file == syntax.__file__

    def enter(self, frame, line):
        pass

    def leave(self, frame, *, raised):
        pass


TRACERS = {
    "lines": lambda: tracing(SELECTED),
    "watched": lambda: tracing(SELECTED, Silent()),
    "threads": lambda: tracing_threads(SELECTED),
}


def reached(make, call):
    """What `call` comes to, as lines of text."""
    places = []
    with make() as tracer:
        tracer.begin(lambda place: places.append((place[0].co_name, place[1])))
        tracer.enter_worker()
        try:
            call()
        finally:
            tracer.end()
    for name, group in groupby(places, key=lambda each: each[0]):
        yield f"{name} {' '.join(str(line) for _, line in group)}"


def everything():
    syntax.all_of_it()
    asyncio.run(syntax.waits())


@pytest.mark.parametrize("name", TRACERS)
def test_the_same_lines_are_reached_on_every_python(name):
    assert list(reached(TRACERS[name], everything)) == EXPECTED.read_text().splitlines()


def test_nothing_is_reached_in_the_middle_of_a_statement():
    """By the source, as Python's own parser reads it."""
    spans = spans_of(syntax.__file__)
    said = [each.split() for each in reached(TRACERS["lines"], everything)]
    lines = [int(line) for name, *each in said if name != "<lambda>" for line in each]
    assert len(lines) > 200
    assert {line for line in lines if line in spans and spans[line].first != line} == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n", {}),
        ("x = [\n    1,\n]\n", {1: Span(1, 3), 2: Span(1, 3), 3: Span(1, 3)}),
        ("for x in y:\n    pass\n", {}),
        ("for x in y: z(x)\n", {1: Span(1, 1)}),
        ("while x: y(\n    1)\n", {1: Span(1, 2), 2: Span(1, 2)}),
        ("if (x and\n    y):\n    z = 1\n", {1: Span(1, 2), 2: Span(1, 2)}),
        ("if x:\n    z = 1\nelif (y or\n      z): z = 2\n", {3: Span(3, 4), 4: Span(3, 4)}),
        ("@a\ndef f(\n    b=1,\n):\n    pass\n", dict.fromkeys((1, 2, 3), Span(1, 3))),
        ("def f():\n    'Words.'\n", {1: Span(1, 1, "f")}),
        ("class A(B):\n    x = 1\n", {1: Span(1, 1, "A")}),
        ("try:\n    x()\nexcept (A,\n        B):\n    pass\n", dict.fromkeys((3, 4), Span(3, 4))),
        ("match x:\n    case [\n        a]:\n        b()\n", dict.fromkeys((2, 3), Span(2, 3))),
        ("def f(:\n", {}),
    ],
)
def test_a_statement_is_from_its_first_line_to_its_last(tmp_path, source, expected):
    path = tmp_path / "source.py"
    path.write_text(source, encoding="utf-8")
    assert spans_of(str(path)) == expected
