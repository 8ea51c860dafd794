"""The fewest items, and the greatest number, that a predicate takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Item = TypeVar("Item")


def fewest(items: tuple[Item, ...], keep: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """As few of the items as `keep` takes: none of those that are left can be left out alone.

    Delta debugging (Zeller and Hildebrandt, TSE 2002), complements only: from halves to single
    ones, since most items of a found schedule do not matter. All are tried first to be left out.
    """
    if items and keep(()):
        return ()
    # The greater half first: nothing but that can then be left of the other one.
    size = (len(items) + 1) // 2
    while items:
        left = _without_pieces(items, size, keep)
        if left == items and size == 1:
            break
        size = max(1, min(size if left != items else size // 2, (len(left) + 1) // 2))
        items = left
    return items


def _without_pieces(
    items: tuple[Item, ...], size: int, keep: Callable[[tuple[Item, ...]], bool]
) -> tuple[Item, ...]:
    at = 0
    while at < len(items):
        rest = items[:at] + items[at + size :]
        if rest and keep(rest):
            items = rest
        else:
            at += size
    return items


def find_most(most: int, holds: Callable[[int], bool]) -> int:
    """A number up to `most` that holds, whose successor does not; 0 holds and is not asked.

    It doubles and then halves, as Hypothesis's `find_integer` does, so that a long way takes few
    executions; where it holds here and there, another such number may be greater.
    """
    low, step = 0, 1
    while low < most and holds(min(most, low + step)):
        low = min(most, low + step)
        step *= 2
    high = min(most, low + step)
    while low < most and low + 1 < high:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
