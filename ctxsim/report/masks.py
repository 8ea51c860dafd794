"""Nothing that is written shows a cookie, a credential or a session.

A cell masks what it knows to be one. This is the second line: it masks what looks like one, in
every text of a document, because an application may print or raise anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

MASK = "***"

Value = TypeVar("Value")

_HEADER = re.compile(
    r"""\b(?P<name>(?:set-)?cookie|(?:proxy-)?authorization)(?P<colon>["']?\s*[:=]\s*)(?P<value>\S.*)""",
    re.IGNORECASE,
)
# A canary is no secret, and the one thing in a cookie that a reader needs to see.
_CANARY = re.compile(r"cx[0-9a-f]{23}")


def mask(text: str) -> str:
    """`text` with the values of cookie and credential headers masked, but for canaries in them."""
    return _HEADER.sub(_masked_header, text)


def _masked_header(header: re.Match[str]) -> str:
    kept = " ".join([MASK, *_CANARY.findall(header["value"])])
    return header["name"] + header["colon"] + kept


def masked(value: Value) -> Value:
    """`value` with every text in it masked, through dataclasses, tuples, lists and mappings."""
    return cast(Value, _masked(value))


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _masked(getattr(value, each.name)) for each in fields(value)}
        return replace(value, **parts)
    if isinstance(value, tuple | list):
        return type(value)(_masked(each) for each in value)
    if isinstance(value, Mapping):
        return {_masked(name): _masked(each) for name, each in value.items()}
    return value
