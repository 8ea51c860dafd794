"""Caches of libraries that end what they keep, by age or by number: to be full is no retention."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

from ctxsim.cell.objects import instances
from ctxsim.cell.witness.paths import dict_of

# The module and the class, and the attribute that says how many there may be. Flask-Caching's
# simple cache is the first one.
_KINDS = (
    ("cachelib.simple", "SimpleCache", "_threshold"),
    ("cachetools", "Cache", "_Cache__maxsize"),
)


def bounded_caches() -> Iterator[object]:
    """The instances of those classes that were given a bound."""
    for module, name, bound in _KINDS:
        kind = vars(sys.modules[module]).get(name) if module in sys.modules else None
        for each in instances(kind) if isinstance(kind, type) else ():
            most = (dict_of(each) or {}).get(bound)
            if isinstance(most, int | float) and most < math.inf:
                yield each
