"""What the body of a response says: unpacked (gzip, zip, charsets), and by the members of JSON."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zlib
from collections.abc import Iterable
from typing import Any

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_USUAL_CHARSET = "; charset=utf-8"
# Content types that are in most responses: they carry nothing, and name no coding but UTF-8.
USUAL_TYPES = frozenset(
    f"{kind}{charset}"
    for kind in ("text/html", "text/plain", "application/json")
    for charset in ("", _USUAL_CHARSET)
)
_ANY_ZLIB_HEADER = 47  # zlib's own, or gzip's: zlib.decompressobj finds out which
_NO_HEADER = -15
# What is called deflate is in zlib's format (RFC 9110, 8.4.1.2); some servers leave that out.
_DEFLATE, _GZIP = (_ANY_ZLIB_HEADER, _NO_HEADER), (_ANY_ZLIB_HEADER,)
_FORMATS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _DEFLATE}
_PLAIN = ("", "identity")
_OF_ZIP, _OF_GZIP = b"PK\x03\x04", b"\x1f\x8b"
# So many times its own size a body may unpack to, within these bounds: texts rarely come to thirty
# times, and what comes to a thousand, as a bomb does, would take seconds of each request.
_TIMES, _LEAST_INFLATED, _MOST_INFLATED = 64, 4 * 1024 * 1024, 64 * 1024 * 1024
# In place of a coding: more is inside than was unpacked.
TOO_LARGE = "too large"


def plain_body(body: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    """A body in UTF-8, without the compression that its headers name.

    What the headers name wrongly is left as it is.
    """
    return unpacked(body, headers)[0]


def unpacked(body: bytes, headers: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    """The same, and the coding that is not unpacked here, such as br; '' where there is none.

    It is TOO_LARGE where only the beginning of what is inside was unpacked.
    """
    unread = ""
    room = _Room(len(body))
    for name, value in headers:
        if value in USUAL_TYPES:
            continue
        kind = name.lower()
        if kind == "content-encoding":
            for coding in reversed(_codings(value)):
                if coding not in _FORMATS:
                    unread = coding
                    break
                body = room.inflated(body, *_FORMATS[coding])
        elif kind == "content-type" and not value.endswith(_USUAL_CHARSET):
            charset = _CHARSET.search(value)
            body = body if charset is None else _in_utf8(body, charset[1])
    if unread and body:
        return body, unread
    body = _of_file(body, room)
    return body, TOO_LARGE if room.is_exceeded else ""


class _Room:
    """How much may be unpacked of a body of so many bytes, and whether more was inside."""

    __slots__ = ("is_exceeded", "most")

    def __init__(self, packed_bytes: int) -> None:
        self.most = min(_MOST_INFLATED, max(_LEAST_INFLATED, _TIMES * packed_bytes))
        self.is_exceeded = False

    def inflated(self, body: bytes, *formats: int) -> bytes:
        """A body as the first of zlib's formats reads it; as it is where none does."""
        for each in formats:
            with contextlib.suppress(zlib.error):
                unpacking = zlib.decompressobj(each)
                found = unpacking.decompress(body, self.most)
                if len(found) == self.most and not unpacking.eof:
                    more = unpacking.decompress(unpacking.unconsumed_tail, 1)
                    self.is_exceeded = self.is_exceeded or bool(more)
                return found
        return body


def _codings(value: str) -> list[str]:
    words = (each.strip().lower() for each in value.split(","))
    return [each for each in words if each not in _PLAIN]


def _of_file(body: bytes, room: _Room) -> bytes:
    """What is inside of a file that is downloaded: of a zip (a sheet or a text, too), or gzip."""
    if body.startswith(_OF_GZIP):
        return room.inflated(body, _ANY_ZLIB_HEADER)
    if not body.startswith(_OF_ZIP):
        return body
    # Needed by hardly any application.
    import zipfile  # noqa: PLC0415

    parts, left = [], room.most
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for each in archive.infolist():
                with archive.open(each) as file:
                    parts += [each.filename.encode(errors="replace"), file.read(max(left, 0))]
                    left -= len(parts[-1])
                    room.is_exceeded = room.is_exceeded or bool(file.read(1))
    # What is encrypted, damaged, or packed in a way that nobody here knows, is left out.
    except Exception:  # noqa: BLE001 # ok: an answer may be any bytes
        return b"\n".join([body, *parts])
    return b"\n".join(parts)


def _in_utf8(body: bytes, charset: str) -> bytes:
    if charset.lower() in ("utf-8", "utf8"):
        return body
    try:
        return body.decode(charset, "replace").encode()
    except LookupError:
        return body


# What stands for no member at all, which is not a null.
MISSING = object()


def member_of(body: bytes, path: str) -> Any:
    """What `path` leads to in a JSON body; MISSING where there is nothing, or no JSON."""
    try:
        return member(json.loads(body), path)
    except (ValueError, RecursionError):
        return MISSING


def member(document: Any, path: str) -> Any:
    """What `path` leads to; MISSING where there is nothing."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return MISSING
    return document
