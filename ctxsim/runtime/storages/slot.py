"""The one interface that every storage has: it makes slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Slot:
    """One value per worker; what a worker is, is the storage's business.

    `get()` gives the current worker's value, or None where it has none. `set(value)` replaces it.
    Both are plain callables, and not methods, because a context variable's own C functions then
    serve without a frame of ours around them.
    """

    get: Callable[[], Any]
    set: Callable[[Any], object]
