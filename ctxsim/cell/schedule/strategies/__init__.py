"""The strategies by name; each makes the choices in a way of its own.

`Replay` and `ByPoints` have no name here, because they follow a schedule that has to be given.
"""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.cell.schedule.choosing import Strategy
from ctxsim.cell.schedule.strategies.exhaustive import Exhaustive
from ctxsim.cell.schedule.strategies.pct import Pct
from ctxsim.cell.schedule.strategies.portfolio import Portfolio
from ctxsim.cell.schedule.strategies.random_walk import RandomWalk
from ctxsim.cell.schedule.strategies.sticky import Sticky
from ctxsim.cell.schedule.strategies.uniform_walk import UniformWalk


def _exhaustive(bound: int | None) -> Strategy:
    return Exhaustive() if bound is None else Exhaustive(bound)


STRATEGIES: dict[str, Callable[[int | None], Strategy]] = {
    "auto": lambda _: Portfolio(),
    "random": lambda _: RandomWalk(),
    "uniform": lambda _: UniformWalk(),
    "pct": Pct,
    "sticky": lambda _: Sticky(),
    "exhaustive": _exhaustive,
}


def strategy(name: str, depth: int | None = None) -> Strategy:
    """The strategy of that name; `depth` is for `pct` the bug's, for `exhaustive` its preemptions.

    Raises KeyError for a name that is not in STRATEGIES.
    """
    return STRATEGIES[name](depth)
