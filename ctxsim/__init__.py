"""Can one user see another user's data? Fire concurrent requests at an application and learn it."""

from __future__ import annotations

import importlib

# As type checkers know it; to import typing for it would make `import ctxsim` five times as slow.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctxsim import runtime, switchpoint
    from ctxsim.checking import check
    from ctxsim.errors import (
        ContextOrderError,
        CtxsimError,
        InterruptedRun,
        OutsideContextError,
        ScenarioError,
        TargetError,
        UsageError,
    )
    from ctxsim.scenario import Scenario
    from ctxsim.simulation import Outcome, simulate
    from ctxsim.switchpoint import pause

__version__ = "0.1.0"

# Loaded on first use: importing ctxsim needs the standard library alone and patches nothing, since
# it happens inside other people's applications too.
_PLACES = {
    "Scenario": "ctxsim.scenario",
    "simulate": "ctxsim.simulation",
    "check": "ctxsim.checking",
    "Outcome": "ctxsim.simulation",
    "pause": "ctxsim.switchpoint",
    "switchpoint": "ctxsim",
    "runtime": "ctxsim",
    "CtxsimError": "ctxsim.errors",
    "UsageError": "ctxsim.errors",
    "ScenarioError": "ctxsim.errors",
    "TargetError": "ctxsim.errors",
    "InterruptedRun": "ctxsim.errors",
    "OutsideContextError": "ctxsim.errors",
    "ContextOrderError": "ctxsim.errors",
}

__all__ = [
    "ContextOrderError",
    "CtxsimError",
    "InterruptedRun",
    "Outcome",
    "OutsideContextError",
    "Scenario",
    "ScenarioError",
    "TargetError",
    "UsageError",
    "__version__",
    "check",
    "pause",
    "runtime",
    "simulate",
    "switchpoint",
]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(
            f"module 'ctxsim' has no attribute {name!r}; it has: {', '.join(__all__)}"
        )
    if place == "ctxsim":
        return importlib.import_module(f"ctxsim.{name}")
    return getattr(importlib.import_module(place), name)


def __dir__() -> list[str]:
    return sorted(__all__)
