"""Which files' lines are switch points."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from ctxsim.cell.history import Selected
from ctxsim.cell.plan import Search, Workers
from ctxsim.cell.schedule.selection import Granularity, Selection
from ctxsim.cell.witness.record import is_application_file, is_own_file, module_file
from ctxsim.errors import TargetError

_INSTALLED = ("site-packages", "dist-packages")
# What watches and drives has to go on with what is real; a switch within a lock of theirs hangs.
_NEVER = ("gevent", "greenlet", "pip", "setuptools", "_distutils_hack")
# By which a package that is worked on is found; it does nothing in requests.
_FINDER = "__editable__"

NOWHERE = Selection(frozenset())


def selected(names: Sequence[str], granularity: Granularity | None) -> list[Selection]:
    """The selections to search with, the narrowest first.

    With `names`, the modules of those names and what is in those packages; raises TargetError for a
    name that no module has. Else the application's own modules, and then the packages that it
    imports as well. Where no granularity is given they are selected by lines, and the narrowest by
    opcodes, too: what one line reads and writes can be torn in two as well.
    """
    chosen = [frozenset(_named(names))] if names else _by_themselves()
    selections = [Selection(each, granularity or "line") for each in chosen]
    if granularity is None:
        selections.append(Selection(chosen[0], "opcode"))
    return selections


def _by_themselves() -> list[frozenset[str]]:
    own = frozenset(_files(is_application_file))
    more = own | frozenset(_of_packages())
    return [own] if own == more else [own, more]


def told(selections: Iterable[Selection]) -> Selected:
    """In which modules and packages a worker could be made to wait at lines."""
    files = frozenset().union(*(each.files for each in selections))
    modules: set[str] = set()
    packages: set[str] = set()
    for name, module in list(sys.modules.items()):
        file = module_file(module)
        if file in files:
            if _is_of_package(name, file):
                packages.add(name.partition(".")[0])
            else:
                modules.add(name)
    return Selected(tuple(sorted(modules)), tuple(sorted(packages)))


def of_lines(workers: Workers, search: Search) -> list[Selection]:
    """What a search selects for workers that can be made to wait at lines."""
    # One worker alone goes on anyway.
    if workers.in_flight == 1:
        return [NOWHERE]
    return selected(search.select, search.granularity)


def may_be_selected(name: str) -> bool:
    """Whether a module that was imported is the application's own, or of a package."""
    file = module_file(sys.modules.get(name))
    return file is not None and (is_application_file(file) or _is_of_package(name, file))


def is_package_file(file: str) -> bool:
    """Whether a source file is of an installed package, and of none that watches and drives."""
    for folder in _INSTALLED:
        _, found, inside = file.rpartition(f"{os.sep}{folder}{os.sep}")
        if found and not is_own_file(file):
            return inside.partition(os.sep)[0].removesuffix(".py") not in _NEVER
    return False


def _named(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        files = [
            file
            for module in list(sys.modules)
            if module == name or module.startswith(f"{name}.")
            if (file := module_file(sys.modules[module])) is not None
        ]
        if not files:
            raise TargetError(
                f"schedule.select names {name}, which is no module that the application imports",
                "write the name as it is imported, such as shop.cart",
            )
        yield from files


def _files(is_wanted: object) -> Iterator[str]:
    assert callable(is_wanted)
    for module in list(sys.modules.values()):
        file = module_file(module)
        if file is not None and is_wanted(file):
            yield file


def _of_packages() -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        file = module_file(module)
        if file is not None and _is_of_package(name, file):
            yield file


def _is_of_package(name: str, file: str) -> bool:
    is_installed = any(part in file for part in _INSTALLED) and not is_own_file(file)
    is_known = name.partition(".")[0] in _NEVER or name.startswith(_FINDER)
    return is_installed and not is_known
