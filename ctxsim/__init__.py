"""Can one user see another user's data? Fire concurrent requests at an application and learn it."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Loaded on first use: importing ctxsim needs the standard library alone and patches nothing, since
# it happens inside other people's applications too.
_PLACES = {
    "Scenario": "ctxsim.scenario",
    "simulate": "ctxsim.simulation",
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

__all__ = ["__version__", *_PLACES]


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
