"""What the harness lends: gevent and greenlet, where the application's environment lacks them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


class Lender:
    """A finder that knows the lent packages and nothing else of the folder that they stand in.

    Of a namespace that the application's environment has as well, it knows the lent part.
    """

    def __init__(self, names: Sequence[str], folder: str) -> None:
        self._names = frozenset(names)
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, _ = name.rpartition(".")
        if name in self._names:
            return PathFinder.find_spec(name, [str(Path(self._folder, parent))], target)
        if path is None and any(each.startswith(f"{name}.") for each in self._names):
            return PathFinder.find_spec(name, [self._folder], target)
        return None


def lend(names: Sequence[str], folder: str | None) -> None:
    """Make `names` importable from `folder`, after all that the environment has itself."""
    if names and folder:
        sys.meta_path.append(Lender(names, folder))
