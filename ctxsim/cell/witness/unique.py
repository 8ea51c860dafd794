"""What no two answers to a step may have in common: `expect.unique`."""

from __future__ import annotations

import json
from hashlib import blake2b

from ctxsim.cell.history import Who
from ctxsim.cell.plan import Json
from ctxsim.cell.visits import Request

# So wide that two different answers never have one digest; it is all that is kept of an answer.
_DIGEST_BYTES = 16


class Unique:
    """Knows the answers that were given, as digests, and who got each first."""

    def __init__(self) -> None:
        self._first: dict[bytes, tuple[int, int]] = {}

    def other(self, request: Request, value: bytes) -> Who | None:
        """Who got `value` as an answer to the same step before; None where nobody did.

        Called by native threads at the same time: `dict.setdefault` is one operation.
        """
        key = blake2b(value, digest_size=_DIGEST_BYTES, salt=_salt(request)).digest()
        asked = (request.user.number, request.number)
        user, number = self._first.setdefault(key, asked)
        return None if (user, number) == asked else Who(user, number, request.step.route)


def _salt(request: Request) -> bytes:
    return request.prepared.index.to_bytes(4, "big")


def as_bytes(value: Json) -> bytes:
    """A value of JSON in the one way in which equal values are written."""
    return json.dumps(value, sort_keys=True).encode()
