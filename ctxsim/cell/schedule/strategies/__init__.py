"""The strategies by name; each makes the choices in a way of its own."""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.cell.schedule.choosing import Strategy
from ctxsim.cell.schedule.strategies.random_walk import RandomWalk

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "random": RandomWalk,
}
