"""What a scenario file says: its keys, how it is read, and the plans that it becomes."""

from ctxsim.scenario.loading import Scenario
from ctxsim.scenario.plans import (
    Cell,
    alone_plan,
    cells,
    codes,
    expected,
    is_loopback,
    overall,
    plan,
    python,
    unmatched,
    unsuited_message,
)
from ctxsim.scenario.schema import json_schema
from ctxsim.scenario.words import STORAGES, Threshold

__all__ = [
    "STORAGES",
    "Cell",
    "Scenario",
    "Threshold",
    "alone_plan",
    "cells",
    "codes",
    "expected",
    "is_loopback",
    "json_schema",
    "overall",
    "plan",
    "python",
    "unmatched",
    "unsuited_message",
]
