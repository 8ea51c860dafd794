"""JSON as views answer with it: sorted keys, compact, one newline at the end."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from werkzeug.http import http_date


def _other(value: object) -> Any:
    if isinstance(value, date):
        return http_date(value)
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if hasattr(value, "__html__"):
        return str(value.__html__())
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_other)
_spaced = json.JSONEncoder(sort_keys=True, default=_other)


def answer(value: object) -> str:
    """Write `value` as the body of a JSON response."""
    return _encoder.encode(value) + "\n"


def dumps(value: object, **options: Any) -> str:
    """Write `value` as JSON; dates, decimals, UUIDs and markup as strings, dataclasses as dicts."""
    if not options:
        return _spaced.encode(value)
    return json.dumps(value, **{"default": _other, "sort_keys": True, **options})


loads = json.loads
