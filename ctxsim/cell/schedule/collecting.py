"""Garbage is collected between executions, because no schedule says when a finalizer runs."""

from __future__ import annotations

import gc

_YOUNGEST, _MIDDLE, _OLDEST = range(3)
# A full collection looks at all that was ever imported, which takes longer than a thousand short
# executions; what these leave to each other is in the middle generation.
_MIDDLE_EACH, _OLDEST_EACH = 1_000, 20_000


class Collecting:
    """No collection within; what one execution made is all in the youngest generation.

    Executions are counted, since any other collection takes longer than a short one of these does.
    """

    def __init__(self) -> None:
        self._executions = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *raised: object) -> None:
        self._executions += 1
        gc.collect(self._generation())
        if self._was_enabled:
            gc.enable()

    def _generation(self) -> int:
        if self._executions % _MIDDLE_EACH:
            return _YOUNGEST
        return _MIDDLE if self._executions % _OLDEST_EACH else _OLDEST
