"""How long the census of a large process takes, with and without something to tell."""

from __future__ import annotations

import builtins
import gc
import statistics
import time

from measures import ROUNDS, Measure, at_most

from ctxsim.cell.witness.reach import Walk
from ctxsim.cell.witness.stores import Root, stores

OBJECTS = 1_000_000
KEPT = 100_000
_PREFIX = "cx0badcafe"


class Entry:
    """An entry of a store: with its name and its tags three objects."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tags = [name]


def census_s(entries: list[Entry]) -> float:
    """Seconds of the processor for one collection and search."""
    root = Root({"entries": entries}, "shop")
    started = time.process_time()
    gc.collect()
    tree = Walk(_PREFIX, lambda text: [text], [globals(), vars(builtins)]).from_([root.thing])
    found = stores(tree, root)
    took_s = time.process_time() - started
    assert len(found) == bool(tree.canaries)
    return took_s


def measure() -> list[Measure]:
    """The median of several rounds over a million objects."""
    entries = [Entry(f"name {i}") for i in range(OBJECTS // 3)]
    clean_s = statistics.median(census_s(entries) for _ in range(ROUNDS))
    for i in range(KEPT):
        entries[i * 3].name = f"{_PREFIX}{i}"
    leaking_s = statistics.median(census_s(entries) for _ in range(ROUNDS))
    what = "seconds of the census of a million objects"
    return [
        at_most(f"{what}, nothing kept", 1, clean_s, " s", f"median of {ROUNDS}"),
        at_most(f"{what}, values of {KEPT:,} requests kept", 1, leaking_s, " s", "the same"),
    ]
