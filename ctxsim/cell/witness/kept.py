"""What libraries keep for all: a cache in a module of theirs, to which each worker has a handle.

Django's local-memory cache is such a one: every context holds a connection to it, so that the whole
cache can be reached from a context variable. What is found there was left by no request.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable

from ctxsim.cell.witness.marks import parts
from ctxsim.cell.witness.record import is_application_file, module_file

_DEPTH = 6
_ITEMS = 2_000
_LEVELS = 3
_CONTAINERS = (dict, list, set)


class KeptByLibraries:
    """Remembers which objects the modules of libraries hold, since to ask takes milliseconds."""

    def __init__(self) -> None:
        # By id, and held, so that no id is used again; they live as long as their modules.
        self.known: dict[int, object] = {}

    def learn(self, thing: object, holds_it: Callable[[object], bool]) -> bool:
        """Learn of such an object on the way from `thing` to a text for which `holds_it`.

        False where there is none on it that was not known.
        """
        for each in _way(thing, holds_it, _DEPTH, [_ITEMS], set(self.known)):
            if issubclass(type(each), _CONTAINERS) and _is_in_library(each):
                self.known[id(each)] = each
                return True
        return False


def way_to_text(
    thing: object, holds_it: Callable[[object], bool], passing_by: Iterable[int] = ()
) -> list[object]:
    """The objects from `thing` to the first text in it for which `holds_it`, and no copy.

    Empty where none is near. Objects whose ids are in `passing_by` are not entered.
    """
    return _way(thing, holds_it, _DEPTH, [_ITEMS], set(passing_by))


def _way(
    thing: object, holds_it: Callable[[object], bool], depth: int, left: list[int], seen: set[int]
) -> list[object]:
    """The objects from `thing` to the one that holds the text; empty where there is no way."""
    if issubclass(type(thing), (str, bytes)):
        return [thing] if holds_it(thing) else []
    if depth == 0 or id(thing) in seen:
        return []
    seen.add(id(thing))
    for part in parts(thing):
        left[0] -= 1
        if left[0] < 0:
            break
        if way := _way(part, holds_it, depth - 1, left, seen):
            return [thing, *way]
    return []


def _is_in_library(thing: object) -> bool:
    level: list[object] = [thing]
    for _ in range(_LEVELS):
        holders = [each for each in gc.get_referrers(*level) if type(each) is dict]
        if any(map(_is_library_module, holders)):
            return True
        # What is an object's own names or the names of a function that runs is held by neither.
        level = list(holders)
        if not level:
            break
    return False


def _is_library_module(names: object) -> bool:
    name = names.get("__name__") if isinstance(names, dict) else None
    module = sys.modules.get(name) if type(name) is str else None
    if module is None or getattr(module, "__dict__", None) is not names:
        return False
    return not is_application_file(module_file(module))
