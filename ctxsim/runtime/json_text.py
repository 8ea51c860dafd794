"""JSON as views answer with it: sorted keys, compact, one newline at the end."""

from __future__ import annotations

import dataclasses
import json
import json.encoder
from collections.abc import Callable
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


def encode_with(encoder: json.JSONEncoder) -> Callable[[object], str]:
    """Give a function that does what `encoder.encode` does.

    `encode` makes the interpreter's own encoder anew for each value, which takes longer than to
    encode a small one; here it is made once. It does not look for a value that holds itself, which
    it could only do with a memory that all calls would share.
    """
    make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
    if make is None:
        return encoder.encode
    parts = make(
        None, encoder.default, json.encoder.encode_basestring_ascii, None,
        encoder.key_separator, encoder.item_separator,
        encoder.sort_keys, encoder.skipkeys, encoder.allow_nan,
    )  # fmt: skip

    def encode(value: object) -> str:
        try:
            return "".join(parts(value, 0))
        except RecursionError:
            # The encoder's own method says what is wrong with a value that holds itself.
            return encoder.encode(value)

    return encode


_encode = encode_with(json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_other))
_spaced = json.JSONEncoder(sort_keys=True, default=_other)


def answer(value: object) -> str:
    """Write `value` as the body of a JSON response."""
    return _encode(value) + "\n"


def dumps(value: object, **options: Any) -> str:
    """Write `value` as JSON; dates, decimals, UUIDs and markup as strings, dataclasses as dicts."""
    if not options:
        return _spaced.encode(value)
    return json.dumps(value, **{"default": _other, "sort_keys": True, **options})


loads = json.loads
