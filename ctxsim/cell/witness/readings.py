"""What a text says once its coding is undone: percent, HTML, JSON, base64, gzip, charsets."""

from __future__ import annotations

import binascii
import html
import json
import re
import string
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_plus

_JSON_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
_CODED_DIGITS = frozenset(string.ascii_letters + string.digits + "+/_-")
# Every digit of base64 becomes an `a`: to look for twenty of them so is 15 times as fast as a
# pattern, which begins anew at each word.
_DIGITS_AS_A = bytes(ord("a" if chr(byte) in _CODED_DIGITS else " ") for byte in range(256))
_RUN = b"a" * 20
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_ANY_ZLIB_HEADER = 47  # zlib's own, or gzip's: zlib.decompressobj finds out which
_MOST_INFLATED = 64 * 1024 * 1024


def readings(data: bytes) -> Iterator[str]:
    """`data` as it stands, and as what it is a coding of; each once."""
    text = data.decode(errors="replace")
    yield text
    if "%" in text:
        yield unquote(text)
    if "+" in text:
        yield unquote_plus(text)
    if "&" in text:
        yield html.unescape(text)
    if "\\" in text:
        yield _JSON_ESCAPE.sub(lambda found: str(json.loads(f'"{found[0]}"')), text)
    yield from coded_words(data)


def coded_words(data: bytes) -> Iterator[str]:
    """What the words of `data` that may be base64 (either alphabet) stand for, where it is text."""
    for word in _long_words(data):
        coded = word.replace(b"+", b"-").replace(b"/", b"_")
        try:
            yield urlsafe_b64decode(coded + b"=" * (-len(coded) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def has_coded_words(data: bytes) -> bool:
    return _RUN in data.translate(_DIGITS_AS_A)


def _long_words(data: bytes) -> Iterator[bytes]:
    shape = data.translate(_DIGITS_AS_A)
    start = shape.find(_RUN)
    while start >= 0:
        end = shape.find(b" ", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = shape.find(_RUN, end)


def plain_body(body: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    """A body in UTF-8, without the compression that its headers name.

    What the headers name wrongly is left as it is.
    """
    for name, value in headers:
        kind = name.lower()
        if kind == "content-encoding" and value.lower() in ("gzip", "deflate"):
            body = _inflated(body)
        elif kind == "content-type" and (charset := _CHARSET.search(value)):
            body = _in_utf8(body, charset[1])
    return body


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(_ANY_ZLIB_HEADER).decompress(body, _MOST_INFLATED)
    except zlib.error:
        return body


def _in_utf8(body: bytes, charset: str) -> bytes:
    if charset.lower() in ("utf-8", "utf8"):
        return body
    try:
        return body.decode(charset, "replace").encode()
    except LookupError:
        return body
