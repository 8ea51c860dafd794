"""Numbers that count alone: which they are, and whether two answers of a load had the same."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from driving import plan_of, step
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.learnt import Counter, Lesson, together
from ctxsim.cell.likeness import words
from ctxsim.cell.plan import Expect
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.counting import Counters, GivenTwice

COUNTER = Counter(0, 200, 7, 4)
LIKE = '{{"number": {}}}'


def found_in(texts, ended=None):
    """The places of the numbers that count in these answers to one step, in turn."""
    ended = itertools.count(1) if ended is None else iter(ended)
    counters = Counters(lambda: next(ended))
    for text in texts:
        counters.listen(0, 200, None if text is None else words(text))
    return [each.place for each in counters.found()]


SEQUENCES = {
    "one more each time": (range(98, 128), True),
    "behind a text": ([f"INV-{n:05}" for n in range(30)], True),
    "the same": ([7] * 30, False),
    "once the same": ([*range(20), 19, *range(20, 30)], False),
    "down": (range(90, 60, -1), False),
    "a clock of milliseconds": (range(0, 90, 3), False),
    "begins again": ([*range(15), *range(15)], False),
    "too few": (range(11), False),
    "an identifier": (range(10**9, 10**9 + 30), False),
    "other words": ([*range(20), "20 and more", *range(21, 40)], False),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_number_counts_that_goes_up_with_the_requests(name):
    numbers, counts = SEQUENCES[name]
    assert found_in(map(LIKE.format, numbers)) == ([4] if counts else [])


def test_requests_that_are_not_listened_to_may_be_counted_as_well():
    numbers, ended = [*range(0, 60, 2), 70], [*range(0, 60, 2), 71]
    assert found_in(map(LIKE.format, numbers), ended) == [4]
    assert found_in(map(LIKE.format, numbers), [*range(1, 60, 2), 65]) == []


def test_an_answer_that_was_too_long_to_be_kept_tells_nothing():
    assert found_in([*map(LIKE.format, range(20)), None]) == []


@given(st.lists(st.text("0123456789 ,-a", max_size=8), min_size=12, max_size=30))
def test_any_answers_may_come(texts):
    assert found_in(texts) in ([], [0], [2], [0, 2])


def test_only_what_counts_in_all_cells_counts():
    one = Lesson((), (), (COUNTER, Counter(1, 200, 3, 2)))
    other = Lesson((), (), (COUNTER,))
    assert together([one, other]).counters == (COUNTER,)


def told_of(*texts, counter=COUNTER, unique=None, status=200, again=False):
    """What is told where the counter gave these answers; `again`: all to one request."""
    plan = plan_of(step("POST /invoices", expect=Expect(unique=unique)))
    traffic = Traffic(plan, lambda: 0.0)
    twice = GivenTwice([counter], plan)
    request = traffic.next_of(traffic.lanes[0])
    for text in texts:
        if twice.counts(0, status):
            twice.see(0, status, request, words(text), text.encode())
        request = request if again else traffic.next_of(traffic.lanes[0])
    return list(twice.told())


def test_a_number_that_two_answers_had_is_told():
    [told] = told_of(*map(LIKE.format, [1, 2, 2, 3, 3]))
    assert told == (
        "POST /invoices counts up as number when it is alone, and gave some numbers to several "
        "requests here; if each must be one request's own, expect {unique: number} in a scenario"
    )
    pages = [f"invoice {n}" for n in (1, 2, 2)]
    [told] = told_of(*pages, counter=Counter(0, 200, 3, 2))
    assert "counts up when" in told
    assert "{unique: true}" in told


def test_what_is_told_otherwise_or_cannot_be_known_is_not():
    twice = [LIKE.format(n) for n in (1, 2, 2)]
    assert told_of(*map(LIKE.format, range(9))) == []
    assert told_of(*twice, unique="number") == []
    assert told_of(*twice, status=201) == []
    assert told_of(*twice, again=True) == []
    assert told_of(LIKE.format(1), '{"of": 2, "number": 1}', LIKE.format("x")) == []


def test_two_steps_of_one_route_are_told_once():
    plan = plan_of("POST /invoices?a={canary}", "POST /invoices?b={canary}")
    traffic = Traffic(plan, lambda: 0.0)
    twice = GivenTwice([COUNTER, replace(COUNTER, step=1)], plan)
    for number in (1, 1, 2, 2):
        request, text = traffic.next_of(traffic.lanes[0]), LIKE.format(number)
        for each in (0, 1):
            twice.see(each, 200, request, words(text), text.encode())
    assert len(list(twice.told())) == 1


def test_no_more_is_kept_than_a_load_needs():
    many = [LIKE.format(n) for n in range(30_000)]
    assert told_of(*many, LIKE.format(7)) == []
    assert len(told_of(LIKE.format(7), *many)) == 1
