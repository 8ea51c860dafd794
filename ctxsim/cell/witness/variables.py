"""What context variables are called in findings, which have the same names in each run."""

from __future__ import annotations

import functools
import re
from contextvars import ContextVar
from typing import Any

from ctxsim.cell.witness.bindings import application_modules

KIND = "context variable "
# Werkzeug's Local and LocalStack name their variables by where they lie in memory themselves.
_ADDRESS = re.compile(r"<(\d{5,}|0x[0-9a-f]+)>|(?<= at )0x[0-9a-f]+")


def named(variable: ContextVar[Any]) -> str:
    """`context variable NAME`; one that an object of the application's declares has its name."""
    return KIND + _name(variable.name)


@functools.lru_cache(maxsize=1024)
def _name(name: str) -> str:
    found = _ADDRESS.search(name)
    if found is None:
        return name
    address = int(found[1], 0) if found[1] else 0
    for module in application_modules():
        for each, value in list(vars(module).items()):
            if id(value) == address:
                return f"{module.__name__}.{each}"
    return _ADDRESS.sub("", name)
