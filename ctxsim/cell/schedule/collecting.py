"""Garbage is collected between executions, because no schedule says when a finalizer runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_FULL_COLLECTION_EACH = 1_000
_YOUNGEST, _OLDEST = 0, 2


class Collecting:
    """Counts executions, since a full collection takes longer than a short one of these does."""

    def __init__(self) -> None:
        self._executions = 0

    @contextmanager
    def afterwards(self) -> Iterator[None]:
        """No collection within; what one execution made is all in the youngest generation."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            self._executions += 1
            is_full = self._executions % _FULL_COLLECTION_EACH == 0
            gc.collect(_OLDEST if is_full else _YOUNGEST)
            if was_enabled:
                gc.enable()
