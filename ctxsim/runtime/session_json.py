"""JSON for session cookies: tags keep what JSON itself would lose, in Flask's notation.

A value that JSON has no type for becomes a dict with one key, the tag, which begins with a space.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from ctxsim.runtime import json_text

_READERS: dict[str, Callable[[Any], Any]] = {
    " t": tuple,
    " b": b64decode,
    " m": Markup,
    " u": UUID,
    " d": parse_date,
}
_TAGS = frozenset({*_READERS, " di"})
_PLAIN = frozenset({str, int, float, bool, type(None)})


def _tagged(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return _tagged_dict(value)
    if isinstance(value, tuple):
        return {" t": [_tagged(item) for item in value]}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return _tagged_leaf(value)


def _tagged_dict(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) == 1:
        key = next(iter(value))
        # A dict of the application's own that looks like a tag.
        if key in _TAGS:
            return {" di": {f"{key}__": _tagged(value[key])}}
    return {key: _tagged(item) for key, item in value.items()}


def _tagged_leaf(value: Any) -> Any:
    if isinstance(value, bytes):
        return {" b": b64encode(value).decode("ascii")}
    if isinstance(value, UUID):
        return {" u": value.hex}
    if isinstance(value, datetime):
        return {" d": http_date(value)}
    if callable(getattr(value, "__html__", None)):
        return {" m": str(value.__html__())}
    return value


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    [(key, value)] = found.items()
    if key == " di":
        [(inner, content)] = value.items()
        return {inner.removesuffix("__"): content}
    reader = _READERS.get(key)
    return found if reader is None else reader(value)


def _is_plain(content: Any) -> bool:
    # With one key alone it may look like a tag.
    if type(content) is not dict or (len(content) == 1 and next(iter(content)) in _TAGS):
        return False
    return _PLAIN.issuperset(map(type, content.values()))


_encode = json_text.encode_with(json.JSONEncoder(separators=(",", ":")))
_decode = json.JSONDecoder(object_hook=_untagged).decode
_decode_plain = json.JSONDecoder().raw_decode


def dumps(value: Any) -> str:
    """Write a session's content."""
    return _encode(value if _is_plain(value) else _tagged(value))


def loads(text: str) -> Any:
    """Read a session's content."""
    # A tag is a string that begins with a space, which an escape could hide. Without one there is
    # nothing to call back for, and then reading takes a third of the time.
    if text.startswith("{") and '" ' not in text and "\\" not in text:
        content, end = _decode_plain(text)
        if end == len(text):
            return content
    return _decode(text)
