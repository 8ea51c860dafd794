"""What a text says once its coding is undone: percent, HTML, JSON, base64."""

from __future__ import annotations

import binascii
import html
import json
import re
import string
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from html.entities import html5
from urllib.parse import unquote

from ctxsim.cell.rarity import Sought

_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")
_JSON_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
_CODED_DIGITS = frozenset(string.ascii_letters + string.digits + "+/_-")
# Every digit of base64 becomes an `a`: to look for twenty of them so is 15 times as fast as a
# pattern, which begins anew at each word.
_DIGITS_AS_A = bytes(ord("a" if chr(byte) in _CODED_DIGITS else " ") for byte in range(256))
_RUN = b"a" * 20
# By the first byte of each, and the tag from the rarest letter of it on.
_SOFT = (
    (b"<", re.compile(rb"w(?<=<w)br")),
    (b"&", re.compile(rb"&(?:shy|#173|#8203);")),
    (b"\xc2", re.compile(b"\xc2\xad")),
    (b"\xe2", re.compile(b"\xe2\x80\x8b")),
)
_SOFT_BREAK = re.compile(rb"<wbr\s*/?>|&shy;|&#173;|&#8203;|\xc2\xad|\xe2\x80\x8b")


def readings(data: bytes) -> Iterator[str]:
    """`data` as it stands, and as what it is a coding of, base64 aside; each once."""
    text = data.decode(errors="replace")
    yield text
    seen = [text]
    for sign, undo, _ in _CODINGS:
        if sign in text and (plain := undo(text)) not in seen:
            seen.append(plain)
            yield plain


def coding_of(data: bytes, found: str) -> str:
    """How a text that was found in `data` is coded there, '' where it stands as it is.

    What is looked through besides those that are undone here is base64.
    """
    text, wanted = data.decode(errors="replace"), found.lower()
    if wanted in text.lower():
        return ""
    for sign, undo, name in _CODINGS:
        if sign in text and wanted in undo(text).lower():
            return name
    return "as base64"


def coded_letters(data: bytes) -> list[str]:
    """What `data` says where letters and digits are coded, too, as mail addresses are to hide them.

    The usual codings leave them as they are, so that few pages have so many signs of it.
    """
    # To look for one byte costs next to nothing.
    if b"&" not in data and b"%" not in data and b"\\" not in data:
        return []
    return [
        undo(data.decode(errors="replace"))
        for first, sign, undo in _LETTER_CODINGS
        if first in data and sign.is_in(data, _LEAST_SIGNS)
    ]


def _unquoted(text: str) -> str:
    # The same as `unquote`, which takes a text apart at each letter that is not of ASCII.
    return _PERCENT.sub(lambda found: unquote(found[0]), text)


def _unquoted_form(text: str) -> str:
    return _unquoted(text.replace("+", " "))


def _without_entities(text: str) -> str:
    return _ENTITY.sub(_character, text)


def _character(entity: re.Match[str]) -> str:
    # Most are known by name; what html.unescape does for the others takes five times as long.
    return html5.get(entity[0][1:]) or html.unescape(entity[0])


def _without_json_escapes(text: str) -> str:
    return _JSON_ESCAPE.sub(_unescaped, text)


def _unescaped(escape: re.Match[str]) -> str:
    return _SHORT_ESCAPES.get(escape[0]) or chr(int(escape[0][2:], 16))


_SHORT_ESCAPES = {f"\\{each}": str(json.loads(f'"\\{each}"')) for each in '"\\/bfnrt'}
_CODINGS: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("%", _unquoted, "percent-encoded"),
    ("+", _unquoted_form, "form-encoded"),
    ("&", _without_entities, "HTML-escaped"),
    ("\\", _without_json_escapes, "JSON-escaped"),
)

# What stands before each letter of a value, where it is coded; a page may have a few for others.
_LETTER_CODINGS: tuple[tuple[bytes, Sought, Callable[[str], str]], ...] = (
    (b"&", Sought(b"&#"), _without_entities),
    (b"%", Sought(b"%[367]"), _unquoted),
    (b"\\", Sought(rb"\\u00"), _without_json_escapes),
)
_LEAST_SIGNS = 3


def unbroken(body: bytes) -> bytes:
    """A body, and after it, where words have places to be broken at, the same without these.

    A reader does not see them: `<wbr>`, soft hyphens, and spaces without a width.
    """
    for first, breaks in _SOFT:
        if first in body and breaks.search(body):
            return body + b"\n" + _SOFT_BREAK.sub(b"", body)
    return body


def coded_words(data: bytes) -> Iterator[str]:
    """What the words of `data` that may be base64 (either alphabet) stand for, where it is text."""
    for word in _long_words(data):
        coded = word.replace(b"+", b"-").replace(b"/", b"_")
        try:
            yield urlsafe_b64decode(coded + b"=" * (-len(coded) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _long_words(data: bytes) -> Iterator[bytes]:
    shape = data.translate(_DIGITS_AS_A)
    start = shape.find(_RUN)
    while start >= 0:
        end = shape.find(b" ", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = shape.find(_RUN, end)
