"""Switches that find their lines again, in an application that was edited."""

import json

import pytest

from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.points import Points, Switch
from ctxsim.cell.searching.courses import Course, Mark, Recorded, by_spots

TEXTS = ("current = name", "greeting = greet()", "for each in names:", "for each in names:")
POINTS = Points((0, 1), (Switch(0, 2, 1),), (Switch(1, 5, 0),))


def way(texts, function="who"):
    return tuple(Mark("served.py", 10 + n, function, text) for n, text in enumerate(texts))


def recorded(points=POINTS):
    steps = (0, 0, *(1,) * 5, 0, 0, 0)
    course = Course(Schedule(steps, (2,) * 10), (way(TEXTS), way(TEXTS)), {"served.py": "1"})
    return Recorded.of(course, points)


def moved(texts, points=POINTS, function="who"):
    now = by_spots(points, recorded(points), (way(texts, function), way(texts, function)))
    return [each.step for each in now.switches]


def test_what_a_case_keeps_is_the_same_after_its_way_through_json():
    kept = recorded()
    assert Recorded.from_json(json.loads(json.dumps(kept.as_json()))) == kept


@pytest.mark.parametrize(
    ("texts", "function", "steps"),
    [
        (TEXTS, "who", [2, 5]),
        # Two lines more: the first switch is two steps later, and so is the worker's end.
        (("first = 1", "second = 2", *TEXTS), "who", [4, 7]),
        # What the line calls, and where it stands, has another name.
        (("first = 1", "current = name", "greeting = greets()"), "whose", [3, 4]),
        # It is gone: the switch stays after as many steps.
        (("return name",), "who", [2, 2]),
    ],
)
def test_a_switch_goes_with_its_line(texts, function, steps):
    assert moved(texts, function=function) == steps


def test_a_line_that_is_come_by_twice_is_told_by_its_visit():
    points = Points((0, 1), (Switch(0, 4, 1),))
    assert moved(("first = 1", *TEXTS), points) == [5]
    # Once is not twice: nothing is guessed.
    assert moved(("first = 1", *TEXTS[:3]), points) == [4]


def test_files_are_told_that_are_others_now():
    assert list(recorded().changed({"served.py": "1"})) == []
    assert list(recorded().changed({"served.py": "2", "other.py": "3"})) == ["served.py"]
