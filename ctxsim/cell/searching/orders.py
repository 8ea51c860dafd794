"""The requests of a script one by one: in which orders, and whether they show the same then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import factorial

from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.shown import Cause, Play

# For each worker, whose requests it carries.
Lanes = tuple[tuple[int, ...], ...]
# To tell whether chance is the reason.
_DRAWS = 10
# In so many orders requests come one by one at most: four, or five of which four share two workers.
_MOST_ORDERS = 30


def shows_one_by_one(script: Script, cause: Cause, play: Play) -> bool:
    """Whether the same requests show it without a schedule, one after the other."""
    return play(one_by_one(script, script.windows[-1].lanes), cause) is not None


def is_by_turns(script: Script, cause: Cause, play: Play) -> bool:
    """Whether the turns that requests took are the reason for what a script shows.

    They are where it shows whatever chance draws, and in no order of the same requests one by one.
    """
    orders = orders_of(script.windows[-1].lanes)
    # Where there are too many, it is not known.
    if orders is None or any(play(one_by_one(script, each), cause) for each in orders):
        return False
    return all(play(_drawn(script, number), cause) for number in range(1, _DRAWS + 1))


def orders_of(workers: Lanes) -> Iterator[Lanes] | None:
    """All orders of the requests one by one in which those of each worker stay in theirs.

    None where one worker alone took no turns, or where these are too many to be carried; some of
    them would leave it open whether another order shows it.
    """
    if len(workers) == 1:
        return None
    count = factorial(sum(map(len, workers)))
    for worker in workers:
        count //= factorial(len(worker))
    return all_orders(workers) if count <= _MOST_ORDERS else None


def all_orders(workers: Lanes) -> Iterator[Lanes]:
    """The same, however many they are; one worker alone has one."""
    if not any(workers):
        yield ()
    for at, worker in enumerate(workers):
        if worker:
            left = (*workers[:at], worker[1:], *workers[at + 1 :])
            yield from ((worker[:1], *rest) for rest in all_orders(left))


def one_by_one(script: Script, workers: Lanes) -> Script:
    """The script's requests one after the other, those of its last window in this order."""
    *before, last = script.windows
    alone: list[Window] = []
    passed_over: set[int] = set()
    for number, window in enumerate((*before, replace(last, lanes=workers))):
        if number in script.passed_over:
            passed_over.update(range(len(alone), len(alone) + window.requests))
        alone += window.in_turn
    return replace(script, windows=tuple(alone), passed_over=frozenset(passed_over))


def _drawn(script: Script, number: int) -> Script:
    """The script where chance draws otherwise."""
    windows = (replace(each, seed=each.seed ^ number) for each in script.windows)
    return replace(script, windows=tuple(windows))
